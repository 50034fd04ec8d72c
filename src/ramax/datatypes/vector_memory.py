"""Matrices of collections that were searched, kept true: across tasks and processes.

A collection's row says which event changed it last. A matrix of an earlier one is brought there by
the events since; one that is not there, or too far behind, is read anew.
"""

import asyncio
import weakref
from collections.abc import MutableMapping
from dataclasses import dataclass, field
from typing import Any, Final

from cachetools import LRUCache

from ramax.core.datatypes import vectors as rules
from ramax.core.datatypes.vectors import COLLECTIONS, VECTORS, Collection, vectors_prefix
from ramax.core.query import Search
from ramax.datatypes.matrix import Matrix
from ramax.errors import CollectionNotFoundError
from ramax.runtime.partition import PAGE, Partition
from ramax.storage.cancellation import to_its_end

_MOST_BYTES: Final = 1024 * 1024 * 1024
"""Of matrices in memory, for each open database; the least recently searched go first."""

_FEW: Final = 1000
"""Changes up to which it is always quicker to follow them than to read everything."""

_Memory = MutableMapping[tuple[int, str], "_Held"]
_memories: weakref.WeakKeyDictionary[Any, _Memory] = weakref.WeakKeyDictionary()


@dataclass(eq=False)
class _Held:
    """A matrix and how far it is; one task at a time brings it further."""

    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    matrix: Matrix | None = None
    born: int = 0
    last: int = 0
    changes: int = 0

    @property
    def nbytes(self) -> int:
        return 1 if self.matrix is None else self.matrix.nbytes


async def find_collection(part: Partition, name: str) -> Collection:
    """Return a collection as it is now.

    Raises:
        CollectionNotFoundError: There is none of that name.
    """
    found = await part.get(COLLECTIONS + name)
    if found is None:
        raise CollectionNotFoundError(name)
    return Collection(*found)


async def current_matrix(part: Partition, name: str) -> Matrix:
    """Return the vectors of a collection as of now; use it before the next ``await``."""
    place = await part.access.memory()
    if place is None:
        held = _Held()
        await _follow(part, name, held, await find_collection(part, name))
    else:
        database, space_id = place
        memory = _memories.setdefault(database, LRUCache(_MOST_BYTES, lambda held: held.nbytes))
        # those who come meanwhile wait for the same one
        held = memory.setdefault((space_id, name), _Held())
        async with held.turn:
            now = await find_collection(part, name)
            await _follow(part, name, held, now)
            if now.index_kind == "approximate" and _of(held).wants_groups:
                # the turn keeps everybody from changing it; whoever holds it already may search
                await to_its_end(asyncio.to_thread(_of(held).group))
        memory.pop((space_id, name), None)
        if held.nbytes <= _MOST_BYTES:
            memory[space_id, name] = held  # with the size that it has now
    return _of(held)


def _of(held: _Held) -> Matrix:
    assert held.matrix is not None
    return held.matrix


async def _follow(part: Partition, name: str, held: _Held, now: Collection) -> None:
    if (
        held.matrix is None
        or held.born != now.born
        or is_beyond_following(held.last, held.changes, now)
    ):
        matrix = Matrix(now.dimension, now.metric)
        cut = len(vectors_prefix(name))
        page: list[tuple[str, bytes, Any]] = []
        async for key, (data, metadata) in part.under(vectors_prefix(name)):
            page.append((key[cut:], data, metadata))
            if len(page) == PAGE:
                matrix.put(page)
                page = []
        matrix.put(page)
        held.matrix, held.born, held.last, held.changes = matrix, now.born, now.last, now.changes
        now = await find_collection(part, name)  # what was changed meanwhile follows
        if now.born != held.born:
            await _follow(part, name, held, now)
            return
    if held.last < now.last:
        await _replay(part, name, held, now)


def is_beyond_following(last: int, changes: int, now: Collection) -> bool:
    """Say whether what is known of a collection has to be read anew.

    Args:
        last: The sequence of the newest change that is known.
        changes: How many are.
    """
    behind = now.changes - changes
    if behind and now.is_replicated:  # which event it is, a stamp does not tell
        return True
    return last > now.last or behind < 0 or behind > max(_FEW, now.vectors // 4)


async def _replay(part: Partition, name: str, held: _Held, now: Collection) -> None:
    """Do to the matrix what the events up to ``now`` did; each leaves its key as it is then."""
    assert held.matrix is not None
    prefix = VECTORS.id_of(f"{name}/")
    search = Search(types=(rules.UPSERTED, rules.DELETED))
    found: dict[str, tuple[bytes, Any] | None] = {}
    async for event in part.events(search, held.last):
        if event.space_sequence > now.last:
            break
        if event.entity_id.startswith(prefix):
            gone = event.event_type == rules.DELETED
            payload = event.payload
            key = event.entity_id[len(prefix) :]
            found[key] = None if gone else (payload["vector"], payload["metadata"])
    for key in [key for key, value in found.items() if value is None]:
        held.matrix.delete(key)
    held.matrix.put([(key, *value) for key, value in found.items() if value is not None])
    held.last, held.changes = now.last, now.changes
