"""Operations on keys and values."""

from typing import Any, Final

from ramax.entry.operations.answer import BOOL, INT, MAP, NAMES, TIME, VALUE, WROTE, listed, record
from ramax.entry.operations.operation import (
    AFTER,
    LIMIT,
    PREFIX,
    Document,
    Operation,
    Parameter,
    moment,
    wrote,
)

_KEY: Final = Parameter("key", "text", "1 to 900 bytes.")
_KEYS: Final = Parameter("keys", "texts", "Several keys.")
_MISSING: Final[Any] = object()
_VERSION: Final = record(
    {"value": VALUE, "deleted": BOOL, "space_sequence": INT, "timestamp": TIME}
)


async def _put(s: Any, **given: Any) -> Document:
    return wrote(await s.kv.put(**given))


async def _put_many(s: Any, values: Any, **options: Any) -> Document:
    return wrote(await s.kv.put_many(values, **options))


async def _get(s: Any, **given: Any) -> Document:
    value = await s.kv.get(**given, default=_MISSING)
    found = value is not _MISSING
    return {"found": found, "value": value if found else None}


async def _get_many(s: Any, keys: Any) -> Document:
    return {"values": await s.kv.get_many(keys)}


async def _exists(s: Any, key: str) -> Document:
    return {"exists": await s.kv.exists(key)}


async def _delete(s: Any, key: str, **options: Any) -> Document:
    return {"deleted": await s.kv.delete(key, **options)}


async def _delete_many(s: Any, keys: Any, **options: Any) -> Document:
    return wrote(await s.kv.delete_many(keys, **options))


async def _list(s: Any, **given: Any) -> Document:
    return {"keys": await s.kv.list(**given)}


async def _count(s: Any, **given: Any) -> Document:
    return {"count": await s.kv.count(**given)}


async def _history(s: Any, **given: Any) -> Document:
    return {
        "versions": [
            {
                "value": v.value,
                "deleted": v.deleted,
                "space_sequence": v.space_sequence,
                "timestamp": moment(v.timestamp),
            }
            for v in await s.kv.history(**given)
        ]
    }


_AS_OF: Final = Parameter(
    "as_of", "int", "As it was after this event of the space.", required=False
)

KV: Final = (
    Operation(
        "kv_put",
        "Store a value under a key.",
        (_KEY, Parameter("value", "value", "Any value.")),
        _put,
        WROTE,
        writes=True,
    ),
    Operation(
        "kv_put_many",
        "Store several values, all or none.",
        (Parameter("values", "map", "Keys and their values."),),
        _put_many,
        WROTE,
        writes=True,
    ),
    Operation(
        "kv_get",
        "Return the value of a key.",
        (_KEY, _AS_OF),
        _get,
        {"found": BOOL, "value": VALUE},
    ),
    Operation(
        "kv_get_many", "Return the values of several keys.", (_KEYS,), _get_many, {"values": MAP}
    ),
    Operation("kv_exists", "Say whether a key is there.", (_KEY,), _exists, {"exists": BOOL}),
    Operation("kv_delete", "Delete a key.", (_KEY,), _delete, {"deleted": BOOL}, writes=True),
    Operation(
        "kv_delete_many",
        "Delete several keys, all at once.",
        (_KEYS,),
        _delete_many,
        WROTE,
        writes=True,
    ),
    Operation("kv_list", "List keys in order.", (PREFIX, LIMIT, AFTER), _list, {"keys": NAMES}),
    Operation("kv_count", "Count keys.", (PREFIX,), _count, {"count": INT}),
    Operation(
        "kv_history",
        "Return what a key held, the newest first.",
        (_KEY, LIMIT),
        _history,
        {"versions": listed(_VERSION)},
    ),
)
