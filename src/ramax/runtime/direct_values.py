"""Values that no event wrote: put and deleted beside the log, under the space's lock."""

from typing import Any

from ramax.core.codec import encode
from ramax.core.decoding import links_in
from ramax.core.guard import Guard
from ramax.core.limits import check_payload_size
from ramax.core.schema import Schema, covers
from ramax.errors import MisuseError
from ramax.runtime.complaints import logger
from ramax.runtime.core import Core
from ramax.runtime.page_fold import facts_of
from ramax.storage import pstate
from ramax.storage.executors import Executor
from ramax.storage.links import replace_links, set_indexed
from ramax.storage.locks import move_state_version, take_lock
from ramax.storage.text_index import keep_text
from ramax.values import Space


async def put(core: Core, space: Space, schema: Schema, key: str, value: Any) -> None:
    """Store a value; see `SpacePState.put`."""
    value = _declared(schema, space, key, value)
    packed = encode(value, f"pstate value of {key!r}")
    check_payload_size(packed, f"pstate value of {key!r}")
    saved = await core.saved(space)
    now = core.clock()

    def work(ex: Executor) -> None:
        guard = _lock(ex, saved, key)
        stamp = max(now, guard.last_timestamp)
        pstate.put(ex, saved.space_id, [(key, packed)], now=stamp, direct=True)
        _relink(ex, saved, guard, schema, key, packed)
        keep_text(ex, saved.space_id, guard.searched, {key: packed})

    await core.locked(f"put in space {saved.space_name!r}", work)
    core.cache.forget(saved.space_id)


async def delete(core: Core, space: Space, schema: Schema, key: str) -> bool:
    """Delete a value of a space with a row; see `SpacePState.delete`."""

    def work(ex: Executor) -> bool:
        there = pstate.owned_by_event(ex, space.space_id, key)
        guard = _lock(ex, space, key)
        pstate.delete(ex, space.space_id, [key])
        _relink(ex, space, guard, schema, key, None)
        keep_text(ex, space.space_id, guard.searched, {}, [key])
        return there is not None

    deleted = await core.locked(f"delete in space {space.space_name!r}", work)
    core.cache.forget(space.space_id)
    return deleted


def _declared(schema: Schema, space: Space, key: str, value: Any) -> Any:
    entity = schema.entity_of(key)
    if entity is None:
        return value
    value, problem = entity.accept(key, value)
    if problem is not None:
        logger.warning("space %r: %s", space.space_name, problem)
    return value


def _relink(  # noqa: PLR0917 - what was written, where, and what is known of it
    ex: Executor, space: Space, guard: Guard, schema: Schema, key: str, packed: bytes | None
) -> None:
    """Keep the index of references true; give it up where the writer knows another."""
    if guard.indexed is None:
        return
    if guard.indexed != schema.index:
        if covers(guard.indexed, key):
            set_indexed(ex, space.space_id, None)
        return
    links = frozenset() if packed is None else links_in(schema, key, packed)
    if links is not None:
        replace_links(ex, space.space_id, {key: links})


def _lock(ex: Executor, space: Space, key: str) -> Guard:
    take_lock(ex, space.space_id, space.space_name)
    if pstate.owned_by_event(ex, space.space_id, key):
        raise MisuseError(
            f"pstate key {key!r} of space {space.space_name!r} was written by an event; change it "
            "with a command"
        )
    guard = facts_of(ex, space).guard
    if guard.replica is not None:
        raise MisuseError(
            f"space {space.space_name!r} is replicated: a value that no event wrote would reach no "
            "other replica; change it with a command"
        )
    move_state_version(ex, space.space_id)
    return guard
