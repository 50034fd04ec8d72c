"""Collections of vectors of one dimension, each with metadata: the rules."""

from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

from ramax.core.clock import FIRST_STAMP
from ramax.core.datatypes.datatype import DataType
from ramax.core.domain import State
from ramax.errors import CollectionExistsError, CollectionNotFoundError, VectorError
from ramax.values import Event, NewEvent

VECTORS = DataType("vectors", replaces=True)
CREATED = VECTORS.type("collection_created")
DROPPED = VECTORS.type("collection_deleted")
UPSERTED = VECTORS.type("upserted")
DELETED = VECTORS.type("deleted")

COLLECTIONS: Final = "c/"
METRICS: Final = ("cosine", "euclidean", "dot_product")
INDEXES: Final = ("exact", "approximate")
FLOAT_BYTES: Final = 4
"""A vector is stored as little-endian 32-bit floats."""


class Collection(NamedTuple):
    """A collection: what its vectors are, how many, and how often they changed."""

    dimension: int
    metric: str
    born: int
    """The sequence of the event that made it: another one of its name is another one."""

    last: int
    """The sequence of the event that changed it last."""

    vectors: int = 0
    changes: int = 0
    index_kind: str = "exact"

    def stored(self) -> list[Any]:
        """Return what is kept of it; what most collections are is not written down."""
        return list(self) if self.index_kind != "exact" else list(self[:-1])

    @property
    def is_replicated(self) -> bool:
        """Whether its events are numbered by stamps, which no sequence reaches."""
        return self.last >= FIRST_STAMP


class Vector(NamedTuple):
    """What is stored of a vector."""

    data: bytes
    metadata: dict[str, Any] | None


def vectors_prefix(collection: str) -> str:
    """Return what the keys of a collection's vectors begin with."""
    return f"v/{collection}/"


def find(state: State, name: str) -> Collection:
    """Return a collection.

    Raises:
        CollectionNotFoundError: There is none of that name.
    """
    found = state.get(COLLECTIONS + name)
    if found is None:
        raise CollectionNotFoundError(name)
    return Collection(*found)


def create(state: State, params: tuple[str, int, str, str]) -> list[NewEvent]:
    """Make a collection whose name is free."""
    name, dimension, metric, index = params
    if COLLECTIONS + name in state:
        raise CollectionExistsError(name)
    payload = {"dimension": dimension, "metric": metric}
    if index != "exact":
        payload["index"] = index
    return [NewEvent(CREATED, payload, entity_id=VECTORS.id_of(name))]


def drop(state: State, name: str) -> list[NewEvent]:
    """Delete a collection that is there, with its vectors."""
    there = COLLECTIONS + name in state
    return [NewEvent(DROPPED, entity_id=VECTORS.id_of(name))] if there else []


def upsert(state: State, params: tuple[str, Mapping[str, Vector]]) -> list[NewEvent]:
    """Store vectors of the dimension of their collection under keys."""
    name, vectors = params
    dimension = find(state, name).dimension
    for key, vector in vectors.items():
        given = len(vector.data) // FLOAT_BYTES
        if given != dimension:
            raise VectorError(
                f"vector {key!r} of {name!r}", given, f"must have {dimension} numbers"
            )
    return [
        NewEvent(
            UPSERTED,
            {"vector": vector.data, "metadata": vector.metadata},
            entity_id=VECTORS.id_of(f"{name}/{key}"),
        )
        for key, vector in vectors.items()
    ]


def delete(state: State, params: tuple[str, Iterable[str]]) -> list[NewEvent]:
    """Delete those vectors that are there."""
    name, keys = params
    find(state, name)
    return [
        NewEvent(DELETED, entity_id=VECTORS.id_of(f"{name}/{key}"))
        for key in keys
        if vectors_prefix(name) + key in state
    ]


@VECTORS.applicator(CREATED)
def was_created(state: State, event: Event) -> None:
    """There is a collection, without vectors; of two replicas' the first one stays."""
    key, payload = COLLECTIONS + VECTORS.name_of(event), event.payload
    dimension, metric = payload["dimension"], payload["metric"]
    index = payload.get("index", "exact")
    if type(dimension) is not int or dimension < 1 or metric not in METRICS:
        raise ValueError(dimension, metric)
    if index not in INDEXES:
        raise ValueError(index)
    if key not in state:
        born = event.space_sequence
        state[key] = Collection(dimension, metric, born, born, index_kind=index).stored()


@VECTORS.applicator(DROPPED)
def was_dropped(state: State, event: Event) -> None:
    """The collection is gone with its vectors."""
    name = VECTORS.name_of(event)
    keyed: Any = state
    for key in keyed.under(vectors_prefix(name)):
        del state[key]
    state.pop(COLLECTIONS + name, None)


@VECTORS.applicator(UPSERTED)
def was_upserted(state: State, event: Event) -> None:
    """The vector is this one now, if the collection is still one of such vectors."""
    name, _, key = VECTORS.name_of(event).partition("/")
    found, stored = state.get(COLLECTIONS + name), vectors_prefix(name) + key
    data, metadata = event.payload["vector"], event.payload["metadata"]
    if type(data) is not bytes or type(metadata) not in {dict, type(None)}:
        raise TypeError(type(data), type(metadata))
    if found is None:
        return
    if len(data) == FLOAT_BYTES * Collection(*found).dimension:
        _count(state, name, event, stored not in state)
        state[stored] = [data, metadata]


@VECTORS.applicator(DELETED)
def was_deleted(state: State, event: Event) -> None:
    """The vector is gone."""
    name, _, key = VECTORS.name_of(event).partition("/")
    stored = vectors_prefix(name) + key
    if stored in state:
        _count(state, name, event, -1)
        del state[stored]


def _count(state: State, name: str, event: Event, step: int) -> None:
    found = find(state, name)
    changed = found._replace(
        last=event.space_sequence, vectors=found.vectors + step, changes=found.changes + 1
    )
    state[COLLECTIONS + name] = changed.stored()
