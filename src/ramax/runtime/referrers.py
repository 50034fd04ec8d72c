"""Who refers to a key: pages of the index of references, which is made when it is first asked."""

from collections.abc import AsyncIterator
from functools import partial

from ramax.core.schema import Schema
from ramax.errors import MisuseError, StateReplacedError
from ramax.runtime.core import Core
from ramax.runtime.link_index import make_index
from ramax.runtime.page_fold import facts_of
from ramax.storage.executors import Executor
from ramax.storage.links import read_referrers
from ramax.values import Space

PAGE = 1000


def check_indexed(schema: Schema, field: str | None) -> None:
    """Refuse a question that no index answers.

    Raises:
        MisuseError: No field is declared with ``index=True``, or not this one.
    """
    names = {name for entity in schema for name in entity.indexed}
    if not names:
        raise MisuseError(
            "nothing is declared with an index of its references; say field(index=True) in the "
            "class of an entity"
        )
    if field is not None and field not in names:
        raise MisuseError(f"field {field!r} has no index; these have one: {sorted(names)}")


async def referrers(
    core: Core,
    space: Space,
    schema: Schema,
    key: str,
    *,
    entity: str | None,
    field: str | None,
    limit: int,
    after: str,
) -> AsyncIterator[str]:
    """Yield the keys that refer to ``key``, in key order; see `SpacePState.referrers`."""
    prefix = "" if entity is None else f"{entity}:"
    generation: int | None = None
    while limit > 0:
        size = min(limit, PAGE)
        page = await core.read(
            partial(_page, space, schema, key, prefix=prefix, field=field, after=after, limit=size)
        )
        if page is None:
            await make_index(core, space, schema)
            continue
        now, keys = page
        if generation not in (None, now):
            raise StateReplacedError(
                f"the pstate of {space.space_name!r} was replaced meanwhile; start again"
            )
        generation = now
        for each in keys:
            yield each
        if len(keys) < size:
            return
        limit -= len(keys)
        after = keys[-1]


def _page(
    space: Space,
    schema: Schema,
    key: str,
    ex: Executor,
    *,
    prefix: str,
    field: str | None,
    after: str,
    limit: int,
) -> tuple[int, list[str]] | None:
    """Read a page; None where the index does not cover what is declared, or did not all along.

    On PostgreSQL each statement has a snapshot of its own. So the guard is read on both sides of
    the page: whoever makes an index moves the state version.
    """
    before = facts_of(ex, space).guard
    keys = read_referrers(
        ex, space.space_id, key, prefix=prefix, field=field, after=after, limit=limit
    )
    guard = facts_of(ex, space).guard
    covered = before.indexed == guard.indexed == schema.index
    same = covered and before.state_version == guard.state_version
    return (guard.replacements, keys) if same else None
