"""Values in an older shape are brought to today's, under the lock of their space."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from ramax.core.decoding import links_in, renewed
from ramax.core.guard import Guard
from ramax.core.schema import Schema
from ramax.core.state import Packed
from ramax.errors import DataError, SpaceNotFoundError
from ramax.storage.executors import Executor
from ramax.storage.links import replace_links
from ramax.storage.locks import move_state_version, take_lock
from ramax.storage.reads import read_facts
from ramax.storage.text_index import keep_text
from ramax.storage.write_back import Renewal, replace_exactly


@dataclass(slots=True)
class Renewed:
    """What became of some keys of one space under its lock."""

    guard: Guard
    space_name: str
    written: dict[str, bytes] = field(default_factory=dict)
    failures: list[DataError] = field(default_factory=list)


def renew(ex: Executor, space_id: int, space_name: str, keys: Mapping[str, Schema]) -> Renewed:
    """Bring some keys to today's shape in the transaction of ``ex``; lock the space for it.

    Raises:
        SpaceNotFoundError: There is no such space any more.
    """
    take_lock(ex, space_id, space_name)
    facts = read_facts(ex, {space_id: keys}).get(space_id)
    if facts is None:
        raise SpaceNotFoundError(space_name)
    done = Renewed(facts.guard, facts.space_name)
    wanted: list[Renewal] = []
    for key, schema in keys.items():
        packed: Packed | None = facts.values[key]
        try:
            new = None if packed is None else renewed(schema, key, packed)
        except DataError as error:
            done.failures.append(error)
            continue
        if packed is not None and new is not None:
            wanted.append(Renewal(key, packed, new))
    done.written = {key: new for key, _, new in replace_exactly(ex, space_id, wanted)}
    if done.written:
        move_state_version(ex, space_id)
        keep_text(ex, space_id, facts.guard.searched, done.written)
        if facts.guard.indexed is not None:
            _relink(ex, space_id, facts.guard.indexed, keys, done.written)
    return done


def _relink(
    ex: Executor,
    space_id: int,
    indexed: str,
    keys: Mapping[str, Schema],
    written: Mapping[str, bytes],
) -> None:
    """Let the index say what the new values refer to, should it have known less of the old."""
    found = {
        key: links_in(keys[key], key, packed)
        for key, packed in written.items()
        if keys[key].index == indexed
    }
    replace_links(ex, space_id, {key: links for key, links in found.items() if links is not None})
