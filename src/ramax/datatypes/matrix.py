"""The vectors of one collection in memory, as one matrix; numpy is imported when it is needed."""

from collections.abc import Iterable, Sequence
from functools import cache
from importlib import import_module
from typing import Any, Final

from ramax.core.datatypes.vectors import FLOAT_BYTES
from ramax.datatypes.filters import Test
from ramax.errors import MisuseError

Metadata = dict[str, Any] | None

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
            self._plain = self._plain and all(map(_is_plain, norms.tolist()))

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

    def _grow(self, count: int) -> None:
        if count > len(self._rows):
            size = max(2 * len(self._rows), count)
            self._rows = self._np.resize(self._rows, (size, self._rows.shape[1]))
            self._norms = self._np.resize(self._norms, size)

    def search(self, vector: bytes, k: int, test: Test | None) -> list[tuple[str, float, Metadata]]:
        """Return the ``k`` best (key, score, metadata), best first; equal ones by key."""
        if not self._keys:
            return []
        near = self._nearness(self._np.frombuffer(vector, dtype="<f4"))
        ranked = self._best(near, k) if test is None else self._passing(near, k, test)
        return [(self._keys[at], self._score(float(near[at])), self._metadata[at]) for at in ranked]

    def _score(self, near: float) -> float:
        return 1 / (1 - near) if self._metric == "euclidean" else near

    def _nearness(self, wanted: Any) -> Any:
        """Return what the rows rank by; a score of distances may not tell short ones apart."""
        np, rows = self._np, self._rows[: len(self._keys)]
        exact = wanted.astype("f8")
        length = float(np.sqrt(exact @ exact))
        if not (self._plain and _is_plain(length)):
            wanted = exact  # numpy goes on in 64 bits
        if self._metric == "euclidean":
            return -self._distances(rows, wanted)
        dots = self._dots(rows, wanted)
        if self._metric == "dot_product":
            return dots
        lengths = self._norms[: len(self._keys)] * length
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

    def _best(self, scores: Any, k: int) -> list[int]:
        np = self._np
        if k < len(scores):
            bound = np.partition(scores, len(scores) - k)[len(scores) - k]
            places = np.flatnonzero(scores >= bound)
        else:
            places = np.arange(len(scores))
        return self._in_order(places.tolist(), scores)[:k]

    def _passing(self, scores: Any, k: int, test: Test) -> list[int]:
        """Test the best first: metadata is only looked at until ``k`` pass."""
        found: list[int] = []
        least: float | None = None
        for place in self._np.argsort(-scores, kind="stable").tolist():
            if least is not None and scores[place] < least:
                break
            if test(self._metadata[place] or {}):
                found.append(place)
                if len(found) == k:
                    least = scores[place]  # those with the same score go by key
        return self._in_order(found, scores)[:k]

    def _in_order(self, places: Iterable[int], scores: Any) -> list[int]:
        return sorted(places, key=lambda place: (-scores[place], self._keys[place]))


def _is_plain(length: float) -> bool:
    """Say whether squares and products of such lengths fit 32-bit floats."""
    return length == 0 or _SHORTEST <= length <= _LONGEST


def vector_size(dimension: int) -> int:
    """Return the bytes of a stored vector."""
    return dimension * FLOAT_BYTES
