"""Operations on collections of vectors."""

from typing import Any, Final

from ramax.entry.operations.answer import (
    BOOL,
    INT,
    MAP,
    NAMES,
    NUMBER,
    TEXT,
    WROTE,
    listed,
    or_null,
    record,
)
from ramax.entry.operations.operation import (
    AFTER,
    LIMIT,
    PREFIX,
    Document,
    Operation,
    Parameter,
    wrote,
)
from ramax.errors import VectorError

_COLLECTION: Final = Parameter("collection", "text", "The name of the collection.")
_KEY: Final = Parameter("key", "text", "The key of the vector, 1 to 900 bytes.")
_VECTOR: Final = Parameter("vector", "numbers", "As many numbers as the collection's dimension.")
_METADATA: Final = Parameter("metadata", "map", "What a filter can look at.", required=False)

_COLLECTIONS: Final = listed(
    record({"name": TEXT, "dimension": INT, "metric": TEXT, "count": INT, "index": TEXT})
)
_MATCHES: Final = listed(record({"key": TEXT, "score": NUMBER, "metadata": or_null(MAP)}))


async def _create(s: Any, collection: str, **given: Any) -> Document:
    return wrote(await s.vectors.create_collection(collection, **given))


async def _delete_collection(s: Any, collection: str, **options: Any) -> Document:
    return {"deleted": await s.vectors.delete_collection(collection, **options)}


async def _collections(s: Any) -> Document:
    return {
        "collections": [
            {
                "name": c.name,
                "dimension": c.dimension,
                "metric": c.metric,
                "count": c.count,
                "index": c.index,
            }
            for c in await s.vectors.list_collections()
        ]
    }


async def _upsert(s: Any, **given: Any) -> Document:
    return wrote(await s.vectors.upsert(**given))


async def _upsert_many(s: Any, collection: str, vectors: Any, **options: Any) -> Document:
    for each in vectors:
        if not isinstance(each, dict) or not {"key", "vector"} <= set(each) <= {
            "key",
            "vector",
            "metadata",
        }:
            raise VectorError("vectors", each, "give objects of key, vector and metadata")
    triples = [(each["key"], each["vector"], each.get("metadata")) for each in vectors]
    return wrote(await s.vectors.upsert_many(collection, triples, **options))


async def _get(s: Any, **given: Any) -> Document:
    found = await s.vectors.get(**given)
    if found is None:
        return {"found": False, "vector": None, "metadata": None}
    return {"found": True, "vector": found.vector, "metadata": found.metadata}


async def _delete(s: Any, **given: Any) -> Document:
    return {"deleted": await s.vectors.delete(**given)}


async def _list(s: Any, **given: Any) -> Document:
    return {"keys": await s.vectors.list(**given)}


async def _count(s: Any, collection: str) -> Document:
    return {"count": await s.vectors.count(collection)}


async def _search(s: Any, **given: Any) -> Document:
    return {
        "matches": [
            {"key": m.key, "score": m.score, "metadata": m.metadata}
            for m in await s.vectors.search(**given)
        ]
    }


VECTORS: Final = (
    Operation(
        "vectors_create_collection",
        "Make a collection.",
        (
            _COLLECTION,
            Parameter("dimension", "int", "Of each vector, 1 to 65,536."),
            Parameter(
                "metric", "text", "cosine (the default), euclidean or dot_product.", required=False
            ),
            Parameter("index", "text", "exact (the default) or approximate.", required=False),
        ),
        _create,
        WROTE,
        writes=True,
    ),
    Operation(
        "vectors_delete_collection",
        "Delete a collection with its vectors.",
        (_COLLECTION,),
        _delete_collection,
        {"deleted": BOOL},
        writes=True,
    ),
    Operation(
        "vectors_list_collections",
        "List the collections.",
        (),
        _collections,
        {"collections": _COLLECTIONS},
    ),
    Operation(
        "vectors_upsert",
        "Store a vector under a key.",
        (_COLLECTION, _KEY, _VECTOR, _METADATA),
        _upsert,
        WROTE,
        writes=True,
    ),
    Operation(
        "vectors_upsert_many",
        "Store several vectors, all or none.",
        (_COLLECTION, Parameter("vectors", "maps", "Objects of key, vector and metadata.")),
        _upsert_many,
        WROTE,
        writes=True,
    ),
    Operation(
        "vectors_get",
        "Return a vector.",
        (_COLLECTION, _KEY),
        _get,
        {"found": BOOL, "vector": or_null(listed(NUMBER)), "metadata": or_null(MAP)},
    ),
    Operation(
        "vectors_delete",
        "Delete a vector.",
        (_COLLECTION, _KEY),
        _delete,
        {"deleted": BOOL},
        writes=True,
    ),
    Operation(
        "vectors_list",
        "List keys of vectors.",
        (_COLLECTION, PREFIX, LIMIT, AFTER),
        _list,
        {"keys": NAMES},
    ),
    Operation(
        "vectors_count",
        "Count the vectors of a collection.",
        (_COLLECTION,),
        _count,
        {"count": INT},
    ),
    Operation(
        "vectors_search",
        "Return the nearest vectors, best first.",
        (
            _COLLECTION,
            _VECTOR,
            Parameter("k", "int", "How many; 10 unless it is given.", required=False),
            Parameter("filter", "map", "Of the metadata.", required=False),
        ),
        _search,
        {"matches": _MATCHES},
    ),
)
