"""Searching the texts of one space, the same from each handle that reaches one."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Protocol

from ramax.datatypes import Vectors
from ramax.errors import DataError
from ramax.runtime.text_search import MOST, Wish, fused
from ramax.values import SearchHit


class Searchable(Protocol):
    """A handle that reaches one space."""

    @property
    def vectors(self) -> Vectors:
        """Collections of vectors."""
        ...

    async def _matching(self, wish: Wish) -> list[SearchHit]:
        """Return what has these words."""
        ...

    def _where(self) -> str:
        """Return what the space is called."""
        ...


class Searching:
    """What has words in it, in one space."""

    __slots__ = ()

    async def search(
        self: Searchable,
        text: str,
        *,
        types: Iterable[str] | None = None,
        limit: int = 10,
        offset: int = 0,
        collection: str | None = None,
        vector: Sequence[float] | None = None,
    ) -> list[SearchHit]:
        """Search the texts of this space, best first; no other space is looked at, or counts.

        All words have to occur; ``"a phrase"``, ``-without``, ``begin*`` and ``OR`` mean what they
        mean elsewhere, and nothing that is typed is an error. Case and accents do not count.
        Inside a transaction what it wrote is found. As of a point, every text of then is read.

        Args:
            types: Some of ``kv``, ``json``, ``log`` and ``pstate``; all unless given.
            limit: 1 to 1,000.
            offset: 0 to 1,000; how many to leave out, for the next page.
            collection: Of vectors, whose keys are those of what they stand for; with ``vector``,
                what is nearest to it is fused in, by reciprocal rank.

        Raises:
            SearchDisabledError: `SpaceRegistry.enable_search` was not called, or still runs.
            DataError: A type or bound is wrong, or the text is over 2,000 characters.
            VectorError, CollectionNotFoundError: The vector does not fit, or has no collection.
        """
        wish = Wish.of(text, types, limit, offset)
        if collection is None and vector is None:
            return await self._matching(wish)
        if collection is None or vector is None:
            raise DataError("collection", collection, "goes with a vector")
        found = await self._matching(replace(wish, limit=MOST, offset=0))
        near = await self.vectors.search(collection, vector, k=MOST)
        hits = fused(self._where(), found, [match.key for match in near])
        return hits[offset : offset + limit]
