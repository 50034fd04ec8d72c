"""``store.vectors``: collections of vectors with metadata, and the nearest ones."""

import math
import re
import sys
from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Unpack

from ramax.core.datatypes import vectors as rules
from ramax.core.datatypes.datatype import check_own_name
from ramax.core.datatypes.vectors import (
    COLLECTIONS,
    FLOAT_BYTES,
    INDEXES,
    METRICS,
    vectors_prefix,
)
from ramax.datatypes.arguments import bound, checked_prefix, names
from ramax.datatypes.filters import Filter, compiled
from ramax.datatypes.vector_memory import current_matrix, find_collection
from ramax.datatypes.vector_server import ServerSide
from ramax.errors import VectorError
from ramax.runtime.partition import Partition, WriteOptions
from ramax.values import Commit

_KEY: Final = "vector key"
_NAME: Final = re.compile(r"[a-z][a-z0-9_-]{0,63}")
_MOST_DIMENSIONS: Final = 65_536
_MOST_FOUND: Final = 10_000

Numbers = Sequence[float]
"""A vector: a list, a tuple, an array, a numpy array. It is stored as 32-bit floats."""


@dataclass(frozen=True, slots=True)
class Collection:
    """A collection: the dimension of its vectors, the metric of its searches, how many it has.

    ``index``: ``exact``, or ``approximate``; see `Vectors.create_collection`.
    """

    name: str
    dimension: int
    metric: str
    count: int
    index: str = "exact"


@dataclass(frozen=True, slots=True)
class Vector:
    """A stored vector."""

    key: str
    vector: list[float]
    metadata: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class VectorMatch:
    """A vector that was found; a higher score is better, whatever the metric."""

    key: str
    score: float
    metadata: dict[str, Any] | None


class Vectors:
    """Collections have names as spaces do: ``[a-z][a-z0-9_-]{0,63}``.

    Every write takes the options of `ContentStore.execute`: ``idempotency_key`` and so on.
    """

    def __init__(self, part: Partition) -> None:
        self._part = part

    # -- collections -----------------------------------------------------------------------------

    async def create_collection(
        self,
        name: str,
        dimension: int,
        metric: str = "cosine",
        index: str = "exact",
        **options: Unpack[WriteOptions],
    ) -> Commit:
        """Make a collection.

        Args:
            dimension: Of each vector, 1 to 65,536.
            metric: ``cosine``, ``euclidean`` or ``dot_product``.
            index: ``exact``: a search compares with each vector. ``approximate``: from 20,000
                vectors on it looks where most of the nearest are, and may miss some.

        Raises:
            CollectionExistsError: There is one of that name.
            VectorError: A name, dimension, metric or index that cannot be.
        """
        _check_name(name)
        if type(dimension) is not int or not 1 <= dimension <= _MOST_DIMENSIONS:
            raise VectorError("dimension", dimension, f"is an int from 1 to {_MOST_DIMENSIONS}")
        if metric not in METRICS:
            raise VectorError("metric", metric, f"is one of {', '.join(METRICS)}")
        if index not in INDEXES:
            raise VectorError("index", index, f"is one of {', '.join(INDEXES)}")
        params = (name, dimension, metric, index)
        # what an idempotency key stood for before there were indexes, it stands for still
        asked = params if index != "exact" else params[:3]
        return await self._part.execute(rules.create, params, asked, **options)

    async def delete_collection(self, name: str, **options: Unpack[WriteOptions]) -> bool:
        """Delete a collection with its vectors; say whether it was there."""
        commit = await self._part.execute(rules.drop, _check_name(name), **options)
        server = await ServerSide.of(self._part, name)
        if server is not None:
            await server.forget()
        return bool(commit.events)

    async def collection(self, name: str) -> Collection | None:
        """Return a collection, or None."""
        found = await self._part.get(COLLECTIONS + _check_name(name))
        return None if found is None else _collection(name, found)

    async def list_collections(self) -> list[Collection]:
        """Return the collections, by name."""
        cut = len(COLLECTIONS)
        return [_collection(key[cut:], row) async for key, row in self._part.under(COLLECTIONS)]

    # -- vectors ---------------------------------------------------------------------------------

    async def upsert(
        self,
        collection: str,
        key: str,
        vector: Numbers,
        metadata: Mapping[str, Any] | None = None,
        **options: Unpack[WriteOptions],
    ) -> Commit:
        """Store a vector under a key; see `upsert_many`."""
        return await self.upsert_many(collection, [(key, vector, metadata)], **options)

    async def upsert_many(
        self,
        collection: str,
        vectors: Iterable[tuple[str, Numbers, Mapping[str, Any] | None]],
        **options: Unpack[WriteOptions],
    ) -> Commit:
        """Store vectors, all or none; what a key held is replaced, its metadata too.

        Args:
            vectors: (key, vector, metadata); keys of 1 to 900 UTF-8 bytes, metadata a str-keyed
                map or None.

        Raises:
            CollectionNotFoundError: There is no such collection.
            VectorError: The dimension is another one, or a number is not finite.
        """
        _check_name(collection)
        if isinstance(vectors, Mapping) or not isinstance(vectors, Iterable):
            raise VectorError("vectors", vectors, "give (key, vector, metadata) triples")
        found: dict[str, rules.Vector] = {}
        for each in vectors:
            if not isinstance(each, (tuple, list)) or len(each) not in {2, 3}:
                raise VectorError("vectors", each, "give (key, vector, metadata) triples")
            key, vector, *rest = each
            metadata = rest[0] if rest else None
            check_own_name(key, _KEY)
            if metadata is not None and not isinstance(metadata, Mapping):
                raise VectorError(f"metadata of {key!r}", metadata, "is a map or None")
            data = packed(vector, f"vector {key!r}")
            found[key] = rules.Vector(data, None if metadata is None else dict(metadata))
        asked = [collection, {key: list(each) for key, each in found.items()}]
        return await self._part.execute(rules.upsert, (collection, found), asked, **options)

    async def get(self, collection: str, key: str) -> Vector | None:
        """Return a vector, or None."""
        return (await self.get_many(collection, [key])).get(key)

    async def get_many(self, collection: str, keys: Iterable[str]) -> dict[str, Vector]:
        """Return those vectors that are there, as of one moment, in that order."""
        await find_collection(self._part, _check_name(collection))
        start = vectors_prefix(collection)
        found = await self._part.get_many([start + key for key in names(keys, _KEY)])
        cut = len(start)
        return {at[cut:]: _vector(at[cut:], row) for at, row in found.items()}

    async def delete(self, collection: str, key: str, **options: Unpack[WriteOptions]) -> bool:
        """Delete a vector; say whether it was there."""
        keys = [check_own_name(key, _KEY)]
        return bool((await self.delete_many(collection, keys, **options)).events)

    async def delete_many(
        self, collection: str, keys: Iterable[str], **options: Unpack[WriteOptions]
    ) -> Commit:
        """Delete those vectors that are there, all at once: one event for each."""
        params = (_check_name(collection), names(keys, _KEY))
        return await self._part.execute(rules.delete, params, **options)

    async def count(self, collection: str) -> int:
        """Count the vectors of a collection."""
        return (await find_collection(self._part, _check_name(collection))).vectors

    async def search(
        self,
        collection: str,
        vector: Numbers,
        k: int = 10,
        filter: Filter | None = None,  # noqa: A002 - what it is
    ) -> list[VectorMatch]:
        """Return the ``k`` nearest vectors, best first.

        An ``exact`` collection misses none; see `create_collection`.

        Scores: ``cosine`` is the similarity, ``euclidean`` 1 / (1 + distance), ``dot_product`` as
        it is. Equal scores go by key.

        Args:
            k: 1 to 10,000.
            filter: ``{"field": …, "op": "eq" | "ne" | "in" | "lt" | "lte" | "gt" | "gte" |
                "contains", "value": …}``, or ``{"and": […]}``, ``{"or": […]}`` of such.

        Raises:
            CollectionNotFoundError: There is no such collection.
            VectorError: The dimension is another one, a number is not finite, or no filter.
            MisuseError: numpy is not installed: ``pip install 'ramax[vectors]'``; or the database
                was opened with ``pgvector=True`` and does not have that extension.
        """
        _check_name(collection)
        if type(k) is not int or not 1 <= k <= _MOST_FOUND:
            raise VectorError("k", k, f"is an int from 1 to {_MOST_FOUND:,}")
        wanted, test = packed(vector, "vector"), compiled(filter)
        found = await find_collection(self._part, collection)
        if len(wanted) != found.dimension * FLOAT_BYTES:
            given = len(wanted) // FLOAT_BYTES
            raise VectorError("vector", given, f"must have {found.dimension} numbers")
        if found.index_kind == "exact":
            server = await ServerSide.of(self._part, collection)
            near = server and await server.search(self._part, wanted, k, test)
            if near is not None:
                return [VectorMatch(*match) for match in near]
        matrix = await current_matrix(self._part, collection)
        return [VectorMatch(*match) for match in matrix.search(wanted, k, test)]

    async def list(
        self, collection: str, prefix: str = "", limit: int | None = None, after: str | None = None
    ) -> list[str]:
        """Return the keys of vectors that begin with a prefix, in order; see `KeyValues.list`."""
        await find_collection(self._part, _check_name(collection))
        if after is not None:
            checked_prefix(after, _KEY)
        return await self._part.keys(
            checked_prefix(prefix, "prefix of vector keys"),
            within=vectors_prefix(collection),
            limit=bound(limit, "limit"),
            after=after,
        )


def packed(vector: Numbers, what: str) -> bytes:
    """Pack a vector into little-endian 32-bit floats.

    Raises:
        VectorError: It is no sequence of numbers, or one of them is not finite.
    """
    given: Any = vector.tolist() if hasattr(vector, "tolist") else vector
    if isinstance(given, (str, bytes, bytearray, Mapping)) or not isinstance(given, Iterable):
        raise VectorError(what, vector, "is a sequence of numbers")
    try:
        numbers = array("f", given)
    except (TypeError, ValueError, OverflowError):
        raise VectorError(what, vector, "is a sequence of numbers within 32-bit floats") from None
    if not all(map(math.isfinite, numbers)):
        raise VectorError(what, vector, "holds a number that is not finite in 32 bits")
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers.tobytes()


def _unpacked(data: bytes) -> list[float]:
    numbers = array("f", data)
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers.tolist()


def _check_name(name: str) -> str:
    if type(name) is not str or not _NAME.fullmatch(name):
        raise VectorError(
            "collection", name, "must be 1 to 64 characters a-z, 0-9, '_' or '-', a letter first"
        )
    return name


def _collection(name: str, row: Any) -> Collection:
    found = rules.Collection(*row)
    return Collection(name, found.dimension, found.metric, found.vectors, found.index_kind)


def _vector(key: str, row: Any) -> Vector:
    return Vector(key, _unpacked(row[0]), row[1])
