"""Vectors that pgvector compares, in the database, where that is wanted: copies, kept true.

What compares them finds near ones; scores, order and filters are those of `Matrix`, so answers are
the same wherever they come from. Copies are brought further by whoever searches: a search that is
refused by no lock of a writer, and writers that pay nothing.
"""

from typing import Any, Final, NamedTuple

from ramax.core.datatypes import vectors as rules
from ramax.core.datatypes.vectors import COLLECTIONS, VECTORS, Collection, vectors_prefix
from ramax.core.keys import key_range
from ramax.core.query import Search
from ramax.core.state import unpack
from ramax.datatypes.filters import Test
from ramax.datatypes.matrix import Matrix, Metadata, is_plain, numpy
from ramax.datatypes.vector_memory import find_collection, is_beyond_following
from ramax.errors import CollectionNotFoundError, MisuseError
from ramax.runtime.access import read_range, read_window
from ramax.runtime.core import Core
from ramax.runtime.partition import PAGE, Partition, Range, Window
from ramax.storage import vector_rows
from ramax.storage.events import stored_events
from ramax.storage.executors import Executor
from ramax.storage.reads import packed
from ramax.storage.vector_rows import Place

_OPERATORS: Final = {"cosine": "<#>", "euclidean": "<->", "dot_product": "<#>"}
"""Of cosines the copies have length 1, so that nothing is divided by nothing."""

_MORE: Final = 16
"""How many more than ``k`` are scored: 32 bits may order those that are about as near otherwise."""

_TRIES: Final = 5

Match = tuple[str, float, Metadata]


class ServerSide(NamedTuple):
    """The copies of one collection."""

    core: Core
    space_id: int
    name: str

    @classmethod
    async def of(cls, part: Partition, name: str) -> "ServerSide | None":
        """Return them if they are wanted here; None inside a transaction and in the past."""
        place = await part.access.memory()
        if place is None or not place[0].options.pgvector:
            return None
        return cls(*place, name)

    async def search(
        self, part: Partition, wanted: bytes, k: int, test: Test | None
    ) -> list[Match] | None:
        """Return the best; None if they have to be compared elsewhere.

        That is where vectors do not fit 32 bits, or others write without end.

        Raises:
            MisuseError: The database does not have the extension.
        """
        for _ in range(_TRIES):
            now = await find_collection(part, self.name)
            place = await self.core.read(self._place)
            if place[:3] != (now.born, now.last, now.changes):
                if self.core.options.read_only:
                    return None
                await self._check_available()
                place = await self.core.locked(f"copying vectors of {self.name!r}", self.follow)
            numbers = _as_compared(now.metric, [wanted])
            if not place.plain or not numbers.plain:
                return None
            found = await self._best(now, numbers.rows[0], wanted, k, test)
            if found is not None:
                return found
        return None

    async def _check_available(self) -> None:
        if not await self.core.read(vector_rows.is_available):
            raise MisuseError(
                "pgvector=True, and this database does not have the extension: let somebody who "
                "may run CREATE EXTENSION vector, or leave pgvector out"
            )

    async def forget(self) -> None:
        """Drop the copies."""
        await self.core.locked(
            f"dropping copies of {self.name!r}",
            lambda ex: vector_rows.forget(ex, self.space_id, self.name),
        )

    async def _best(
        self, now: Collection, numbers: list[float], wanted: bytes, k: int, test: Test | None
    ) -> list[Match] | None:
        limit = k + _MORE
        while True:
            near = await self._near(now.metric, numbers, limit)
            if near is None:
                return None
            matrix = Matrix(now.dimension, now.metric)
            matrix.put(near)
            found = matrix.search(wanted, k, test)
            if len(found) == k or len(near) < limit:
                return found
            limit *= 8  # the filter left too few

    async def _near(
        self, metric: str, numbers: list[float], limit: int
    ) -> list[tuple[str, bytes, Metadata]] | None:
        """Return the nearest as they are stored; None if one was deleted meanwhile."""
        prefix = VECTORS.prefix + vectors_prefix(self.name)
        rows = await self.core.read(
            lambda ex: vector_rows.nearest(
                ex,
                self.space_id,
                self.name,
                _OPERATORS[metric],
                numbers,
                prefix=prefix,
                limit=limit,
            )
        )
        if any(value is None for _, value, _ in rows):
            return None
        return [(key, *unpack(packed(value, form))) for key, value, form in rows]

    # -- keeping copies true; in one transaction -------------------------------------------------

    def _place(self, ex: Executor) -> Place:
        return vector_rows.read_place(ex, self.space_id, self.name)

    def follow(self, ex: Executor) -> Place:
        """Bring the copies to what the pstate holds."""
        vector_rows.hold(ex, self.space_id, self.name)
        while True:
            now, place = self._now(ex), self._place(ex)
            if place[:3] == (now.born, now.last, now.changes):
                return place
            if place.born != now.born or is_beyond_following(place.last, place.changes, now):
                plain = self._copy_all(ex, now)
            else:
                plain = bool(place.plain) and self._replay(ex, now, place.last)
            place = Place(now.born, now.last, now.changes, int(plain))
            vector_rows.set_place(ex, self.space_id, self.name, place)

    def _now(self, ex: Executor) -> Collection:
        key = VECTORS.prefix + COLLECTIONS + self.name
        found = read_range(ex, self.space_id, Range(key, key + "\x01", limit=1))
        if not found:
            raise CollectionNotFoundError(self.name)
        return Collection(*unpack(found[0][1]))

    def _copy_all(self, ex: Executor, now: Collection) -> bool:
        vector_rows.clear(ex, self.space_id, self.name)
        prefix, after, plain = VECTORS.prefix + vectors_prefix(self.name), "", True
        while True:
            page = read_range(ex, self.space_id, Range(*key_range(prefix), after, PAGE))
            data = {key[len(prefix) :]: unpack(value)[0] for key, value in page}
            plain = self._put(ex, now, data) and plain
            if len(page) < PAGE:
                return plain
            after = page[-1][0]

    def _replay(self, ex: Executor, now: Collection, after: int) -> bool:
        prefix, left = VECTORS.id_of(f"{self.name}/"), dict[str, bytes | None]()
        search = Search(types=(rules.UPSERTED, rules.DELETED))
        while True:
            page = read_window(ex, self.space_id, search, Window(after, now.last, PAGE))
            for event in stored_events(page):
                if event.entity_id.startswith(prefix):
                    key = event.entity_id[len(prefix) :]
                    deleted = event.event_type == rules.DELETED
                    left[key] = None if deleted else event.payload["vector"]
            if len(page) < PAGE:
                break
            after = page[-1][2]
        gone = [key for key, data in left.items() if data is None]
        vector_rows.delete(ex, self.space_id, self.name, gone)
        return self._put(ex, now, {key: data for key, data in left.items() if data is not None})

    def _put(self, ex: Executor, now: Collection, data: dict[str, bytes]) -> bool:
        if not data:
            return True
        numbers = _as_compared(now.metric, list(data.values()))
        if numbers.plain:
            rows = zip(data, numbers.rows, strict=True)
            vector_rows.put(ex, self.space_id, self.name, rows)
        return numbers.plain


class _Numbers(NamedTuple):
    rows: list[list[float]]
    plain: bool


def _as_compared(metric: str, vectors: list[bytes]) -> _Numbers:
    """Return vectors as the copies have them, and whether 32 bits are enough for that."""
    np: Any = numpy()
    rows = np.frombuffer(b"".join(vectors), dtype="<f4").reshape(len(vectors), -1).astype("f8")
    lengths = np.sqrt(np.einsum("ij,ij->i", rows, rows))
    if metric == "cosine":
        rows = rows / np.where(lengths > 0, lengths, 1)[:, None]
        return _Numbers(rows.tolist(), plain=True)
    return _Numbers(rows.tolist(), all(map(is_plain, lengths.tolist())))
