"""Making a space searchable, and searching it."""

import enum
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final
from uuid import uuid4

from ramax.core.domain import Domain
from ramax.core.fulltext.documents import PSTATE, TYPES, Searched, type_of
from ramax.core.fulltext.fusion import fuse
from ramax.core.fulltext.query import Wanted, read_query
from ramax.core.fulltext.snippet import snippet
from ramax.errors import ConflictError, DataError, SearchDisabledError
from ramax.runtime.core import Core, SpaceLike
from ramax.runtime.page_fold import facts_of
from ramax.runtime.scope import Steps
from ramax.runtime.state_reads import StateReads
from ramax.storage import text_index
from ramax.storage.executors import Executor
from ramax.storage.locks import move_state_version, take_lock
from ramax.storage.reads import packed
from ramax.storage.rebuild import read_key_count, read_stored
from ramax.storage.text_search import find_texts
from ramax.values import Progress, SearchHit, Space

MOST: Final = 1000
"""Hits of one answer."""


class AllSpaces(enum.Enum):
    """The type of `ALL`."""

    ALL = "all"


ALL: Final = AllSpaces.ALL
"""Every space that is searched, for `Database.search`."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What is searched for, checked."""

    wanted: Wanted
    types: tuple[str, ...]
    limit: int
    offset: int

    @classmethod
    def of(cls, text: Any, types: Any, limit: Any, offset: Any) -> "Wish":
        """Check it.

        Raises:
            DataError: The text is over 2,000 characters, a type is unknown, or a bound is wrong.
        """
        known = (*TYPES, PSTATE)
        chosen = known if types is None else types if isinstance(types, str) else tuple(types)
        if isinstance(chosen, str) or not all(each in known for each in chosen):
            raise DataError("types", types, f"are some of {', '.join(known)}")
        for name, value, low in (("limit", limit, 1), ("offset", offset, 0)):
            if type(value) is not int or not low <= value <= MOST:
                raise DataError(name, value, f"is between {low} and {MOST}")
        return cls(read_query(text), tuple(chosen), limit, offset)


async def enable(
    core: Core,
    space: Space,
    what: Searched,
    progress: Callable[[Progress], object] | None = None,
) -> None:
    """Index what a space holds, and let every writer go on from there.

    What is there is indexed a page at a time, each under the lock, with live writes between.

    Raises:
        SpaceNotFoundError: There is no such space, or it was deleted meanwhile.
        ConflictError: Somebody else began the same meanwhile.
    """
    if await core.base_of(space):  # what a fork has is there when it has been folded
        await StateReads(core, space, None).current()
    filling = _Filling(space, what, core.options.page)
    started = time.monotonic()
    try:
        total = await core.locked(_title(space), filling.begin)
        core.cache.forget(space.space_id)
        while total is not None and await core.locked(_title(space), filling.fill_page):
            if progress is not None:
                progress(Progress(filling.done, total, time.monotonic() - started))
    finally:
        core.cache.forget(space.space_id)


async def disable(core: Core, space: Space) -> None:
    """Drop the index of a space; what it holds stays."""

    def work(ex: Executor) -> None:
        take_lock(ex, space.space_id, space.space_name)
        text_index.end(ex, space.space_id)
        text_index.set_searched(ex, space.space_id, None)
        move_state_version(ex, space.space_id)

    await core.locked(f"ending the search of space {space.space_name!r}", work)
    core.cache.forget(space.space_id)


async def search(core: Core, space: Space, domain: Domain | None, wish: Wish) -> list[SearchHit]:
    """Search one space; see `ContentStore.search`."""
    found = await StateReads(core, space, domain).current()
    if not found.space_id:
        return []
    return await core.read_whole(lambda ex: _search_one(ex, found, wish))


async def search_inside(
    steps: Steps, target: SpaceLike, domain: Domain | None, wish: Wish
) -> list[SearchHit]:
    """Search one space inside a transaction: with what it wrote, and nothing of others since."""
    space = await steps.look(target)
    if space is None:
        return []
    await steps.read(space, domain, ())  # folds what its log has more
    return await steps.run(lambda ex: _search_one(ex, space, wish))


async def search_spaces(core: Core, spaces: Sequence[Space] | None, wish: Wish) -> list[SearchHit]:
    """Search some spaces, or with None all that are searched; see `Database.search`.

    Scores rest on what else a space holds: those of two spaces do not compare. Ranks do.
    """
    many = replace(wish, limit=wish.limit + wish.offset, offset=0)
    branch = await core.branch()

    def work(ex: Executor) -> list[SearchHit]:
        chosen = text_index.read_searched(ex, branch) if spaces is None else spaces
        return [
            replace(hit, score=score)
            for space in chosen
            if space.space_id
            for hit, score in fuse(_search_one(ex, space, many))
        ]

    hits = await core.read_whole(work)
    hits.sort(key=lambda hit: (-hit.score, hit.space))
    return hits[wish.offset : wish.offset + wish.limit]


def fused(space: str, found: Sequence[SearchHit], near: Sequence[str]) -> list[SearchHit]:
    """Rank hits together with keys that a vector found; several hits may have the same key."""
    by_key: dict[str, list[SearchHit]] = {}
    for hit in found:
        by_key.setdefault(hit.key, []).append(hit)
    return [
        replace(hit, score=score)
        for key, score in fuse([hit.key for hit in found], near)
        for hit in by_key.get(key) or [SearchHit(space, "vectors", key, "", 0.0)]
    ]


def _search_one(ex: Executor, space: Space, wish: Wish) -> list[SearchHit]:
    facts = facts_of(ex, space)
    what = facts.guard.searched
    if what is None:
        raise SearchDisabledError(facts.space_name)
    if what.filling is not None:
        raise SearchDisabledError(facts.space_name, "is still being indexed")
    wanted = wish.wanted
    rows = find_texts(ex, space.space_id, wanted, wish.types, limit=wish.limit, offset=wish.offset)
    return [
        SearchHit(
            facts.space_name, type_, _name(what, key), snippet(text, wanted.phrases), float(score)
        )
        for key, type_, text, score in rows
    ]


def _name(what: Searched, key: str) -> str:
    found = type_of(what, key)
    return key if found is None else found[1]


class _Filling:
    """Indexes what is there; each method runs in a transaction of its own."""

    def __init__(self, space: Space, what: Searched, page: int) -> None:
        self._space, self._page = space, page
        self._whole = what
        self._what = replace(what, filling=uuid4().hex)
        self._after = ""
        self.done = 0

    def begin(self, ex: Executor) -> int | None:
        """Begin anew; return how many keys there are, None if all is as it should be."""
        space_id = self._space.space_id
        if self._lock(ex) == self._whole:
            return None
        text_index.begin(ex, space_id)
        self._record(ex, self._what)
        return read_key_count(ex, space_id)

    def fill_page(self, ex: Executor) -> bool:
        """Index the next page; say whether there may be more."""
        space_id = self._space.space_id
        if self._lock(ex) != self._what:
            raise ConflictError(
                f"somebody else began to index the texts of space {self._space.space_name!r}"
            )
        rows = read_stored(ex, space_id, after=self._after, limit=self._page)
        values = {key: packed(value, form) for key, value, form, _direct in rows}
        text_index.index_now(ex, space_id, self._what, values)
        self.done += len(rows)
        if len(rows) == self._page:
            self._after = rows[-1][0]
            return True
        self._record(ex, self._whole)
        return False

    def _lock(self, ex: Executor) -> Searched | None:
        take_lock(ex, self._space.space_id, self._space.space_name)
        return facts_of(ex, self._space).guard.searched

    def _record(self, ex: Executor, what: Searched) -> None:
        text_index.set_searched(ex, self._space.space_id, what)
        # decisions that are on their way know nothing of it: they have to be made again
        move_state_version(ex, self._space.space_id)


def _title(space: Space) -> str:
    return f"indexing the texts of space {space.space_name!r}"
