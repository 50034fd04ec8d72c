"""The vectors of one collection in memory, as one matrix; numpy is imported when it is needed."""

from collections.abc import Iterable, Sequence
from functools import cache
from importlib import import_module
from typing import Any, Final

from ramax.datatypes.clusters import Clusters
from ramax.datatypes.filters import Test
from ramax.errors import MisuseError

Metadata = dict[str, Any] | None

_Ranked = tuple[int, float]
"""The place of a row, and how near it is."""

GROUPED_FROM: Final = 20_000
"""Vectors from which it is quicker to look at groups of them; they are grouped anew with twice as
many."""

_SMALLEST: Final = 64
_BLOCK: Final = 4096
_SHORTEST, _LONGEST = 1e-12, 1e18
"""Lengths of vectors whose differences can be squared in 32 bits."""


@cache
def numpy() -> Any:
    """Return the library.

    Raises:
        MisuseError: It is not installed.
    """
    try:
        return import_module("numpy")
    except ImportError as error:
        raise MisuseError("searching vectors needs: pip install 'ramax[vectors]'") from error


class Matrix:
    """Rows by key; a row that is deleted is filled by the last one.

    Scores: ``cosine`` is the similarity, ``euclidean`` 1 / (1 + distance), ``dot_product`` as it
    is; higher is better.
    """

    def __init__(self, dimension: int, metric: str) -> None:
        self._np = numpy()
        self._metric = metric
        self._rows = self._np.empty((_SMALLEST, dimension), dtype="<f4")
        self._norms = self._np.empty(_SMALLEST, dtype="f8")
        self._plain = True
        self._keys: list[str] = []
        self._metadata: list[Metadata] = []
        self._places: dict[str, int] = {}
        self._clusters: Clusters | None = None
        self._clustered = 0

    def __len__(self) -> int:
        return len(self._keys)

    @property
    def nbytes(self) -> int:
        """About how many bytes it takes, metadata apart."""
        return int(self._rows.nbytes + self._norms.nbytes) + 100 * len(self._keys)

    def put(self, vectors: Sequence[tuple[str, bytes, Metadata]]) -> None:
        """Add vectors, or replace those of the same keys."""
        places = []
        for key, _, metadata in vectors:
            place = self._places.setdefault(key, len(self._keys))
            if place == len(self._keys):
                self._keys.append(key)
                self._metadata.append(metadata)
            self._metadata[place] = metadata
            places.append(place)
        self._grow(len(self._keys))
        dimension = self._rows.shape[1]
        for at in range(0, len(vectors), 1000):
            part = vectors[at : at + 1000]
            block = self._np.frombuffer(b"".join(data for _, data, _ in part), dtype="<f4")
            block = block.reshape(-1, dimension)
            # one place may come twice, and the last vector counts: numpy assigns in order
            self._rows[places[at : at + 1000]] = block
            exact = block.astype("f8")
            norms = self._np.sqrt(self._np.einsum("ij,ij->i", exact, exact))
            self._norms[places[at : at + 1000]] = norms
            self._plain = self._plain and all(map(is_plain, norms.tolist()))
        if self._clusters is not None:
            self._clusters.assign(self._rows, self._np.unique(places))

    def delete(self, key: str) -> None:
        """Take out a vector that is there."""
        place = self._places.pop(key, None)
        if place is None:
            return
        last, metadata = self._keys.pop(), self._metadata.pop()
        if place < len(self._keys):
            self._keys[place], self._metadata[place] = last, metadata
            self._places[last] = place
            self._rows[place] = self._rows[len(self._keys)]
            self._norms[place] = self._norms[len(self._keys)]
            if self._clusters is not None:
                self._clusters.move(len(self._keys), place)

    def _grow(self, count: int) -> None:
        if count > len(self._rows):
            size = max(2 * len(self._rows), count)
            self._rows = self._np.resize(self._rows, (size, self._rows.shape[1]))
            self._norms = self._np.resize(self._norms, size)

    @property
    def wants_groups(self) -> bool:
        """Whether `group` would make searches quicker, or has to look again at what there is."""
        return len(self) >= max(GROUPED_FROM, 2 * self._clustered)

    def group(self) -> None:
        """Look for groups of near vectors, with which searches miss few; it takes seconds.

        Others may search meanwhile, but nothing may be put or deleted.
        """
        found = Clusters(self._np, self._metric, self._rows[: len(self)]) if self._plain else None
        self._clusters = found if found is not None and found.is_worth_it else None
        self._clustered = len(self)

    def search(self, vector: bytes, k: int, test: Test | None) -> list[tuple[str, float, Metadata]]:
        """Return the ``k`` best (key, score, metadata), best first; equal ones by key.

        With groups the near ones are looked at, and all if too few of those pass the test.
        """
        if not self._keys:
            return []
        wanted = self._np.frombuffer(vector, dtype="<f4")
        if self._clusters is not None and self._plain:
            places = self._clusters.candidates(wanted, len(self._keys))
            found = self._found(wanted, places, k, test)
            if len(found) == k:
                return found
        return self._found(wanted, None, k, test)

    def _found(
        self, wanted: Any, places: Any, k: int, test: Test | None
    ) -> list[tuple[str, float, Metadata]]:
        """Compare with the rows at some places; with None, at all."""
        chosen = slice(len(self._keys)) if places is None else places
        near = self._nearness(wanted, self._rows[chosen], self._norms[chosen])
        at = self._np.arange(len(near)) if places is None else places
        ranked = self._best(near, at, k) if test is None else self._passing(near, at, k, test)
        return [
            (self._keys[place], self._score(float(value)), self._metadata[place])
            for place, value in ranked
        ]

    def _score(self, near: float) -> float:
        return 1 / (1 - near) if self._metric == "euclidean" else near

    def _nearness(self, wanted: Any, rows: Any, norms: Any) -> Any:
        """Return what the rows rank by; a score of distances may not tell short ones apart."""
        np = self._np
        exact = wanted.astype("f8")
        length = float(np.sqrt(exact @ exact))
        if not (self._plain and is_plain(length)):
            wanted = exact  # numpy goes on in 64 bits
        if self._metric == "euclidean":
            return -self._distances(rows, wanted)
        dots = self._dots(rows, wanted)
        if self._metric == "dot_product":
            return dots
        lengths = norms * length
        return np.divide(dots, lengths, out=np.zeros_like(lengths), where=lengths > 0)

    def _dots(self, rows: Any, wanted: Any) -> Any:
        if wanted.dtype == rows.dtype:
            return rows @ wanted
        np = self._np
        blocks = range(0, len(rows), _BLOCK)  # each is copied
        return np.concatenate([rows[at : at + _BLOCK].astype("f8") @ wanted for at in blocks])

    def _distances(self, rows: Any, wanted: Any) -> Any:
        """Subtract, rather than use the dot product: near vectors would lose all their digits."""
        np = self._np
        found = np.empty(len(rows), dtype=wanted.dtype)
        for at in range(0, len(rows), _BLOCK):
            apart = rows[at : at + _BLOCK] - wanted
            found[at : at + _BLOCK] = np.sqrt(np.einsum("ij,ij->i", apart, apart))
        return found

    def _best(self, near: Any, places: Any, k: int) -> list[_Ranked]:
        np = self._np
        if k < len(near):
            bound = np.partition(near, len(near) - k)[len(near) - k]
            chosen = np.flatnonzero(near >= bound)
            near, places = near[chosen], places[chosen]
        return self._in_order(zip(places.tolist(), near.tolist(), strict=True))[:k]

    def _passing(self, near: Any, places: Any, k: int, test: Test) -> list[_Ranked]:
        """Test the best first: metadata is only looked at until ``k`` pass."""
        found: list[_Ranked] = []
        least: float | None = None
        order = self._np.argsort(-near, kind="stable")
        for place, value in zip(places[order].tolist(), near[order].tolist(), strict=True):
            if least is not None and value < least:
                break
            if test(self._metadata[place] or {}):
                found.append((place, value))
                if len(found) == k:
                    least = value  # those with the same score go by key
        return self._in_order(found)[:k]

    def _in_order(self, ranked: Iterable[_Ranked]) -> list[_Ranked]:
        return sorted(ranked, key=lambda each: (-each[1], self._keys[each[0]]))


def is_plain(length: float) -> bool:
    """Say whether squares and products of such lengths fit 32-bit floats."""
    return length == 0 or _SHORTEST <= length <= _LONGEST
