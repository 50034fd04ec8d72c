"""Operations on JSON documents."""

from typing import Any, Final

from ramax.entry.operations.answer import (
    BOOL,
    INT,
    NAMES,
    TEXT,
    TIME,
    VALUE,
    WROTE,
    listed,
    or_null,
    record,
)
from ramax.entry.operations.operation import (
    AFTER,
    LIMIT,
    PREFIX,
    VERSION,
    Document,
    Operation,
    Parameter,
    moment,
    wrote,
)

_KEY: Final = Parameter("key", "text", "The key of the document, 1 to 900 bytes.")
_VALUE: Final = Parameter("value", "value", "A JSON value.")
_PATH: Final = Parameter(
    "path", "text", "A path to one value, as $.a[0]; $ is all.", required=False
)
_FIELD: Final = Parameter("field", "text", "A path to one value, as $.user.age.")
_MISSING: Final[Any] = object()
_VERSION: Final = record(
    {
        "value": VALUE,
        "version": or_null(INT),
        "deleted": BOOL,
        "space_sequence": INT,
        "timestamp": TIME,
    }
)
_NUMBERED: Final = {**WROTE, "version": or_null(INT)}


async def _set(s: Any, **given: Any) -> Document:
    commit = await s.json.set(**given)
    return wrote(commit, version=commit.version)


async def _cas(
    s: Any, key: str, value: Any, expected_version: int | None = None, **options: Any
) -> Document:
    commit = await s.json.cas(key, value, expected_version, **options)
    return wrote(commit, version=commit.version)


async def _merge(s: Any, **given: Any) -> Document:
    commit = await s.json.merge(**given)
    return wrote(commit, version=commit.version)


async def _patch(s: Any, **given: Any) -> Document:
    commit = await s.json.patch(**given)
    return wrote(commit, version=commit.version)


async def _get(s: Any, **given: Any) -> Document:
    value = await s.json.get(**given, default=_MISSING)
    found = value is not _MISSING
    return {"found": found, "value": value if found else None}


async def _query(s: Any, **given: Any) -> Document:
    return {"values": await s.json.query(**given)}


async def _delete(s: Any, **given: Any) -> Document:
    return {"deleted": await s.json.delete(**given)}


async def _list(s: Any, **given: Any) -> Document:
    return {"keys": await s.json.list(**given)}


async def _count(s: Any, **given: Any) -> Document:
    return {"count": await s.json.count(**given)}


async def _history(s: Any, **given: Any) -> Document:
    return {
        "versions": [
            {
                "value": v.value,
                "version": v.version,
                "deleted": v.deleted,
                "space_sequence": v.space_sequence,
                "timestamp": moment(v.timestamp),
            }
            for v in await s.json.history(**given)
        ]
    }


async def _create_index(s: Any, field: str, **options: Any) -> Document:
    return {"created": await s.json.create_index(field, **options)}


async def _drop_index(s: Any, field: str, **options: Any) -> Document:
    return {"dropped": await s.json.drop_index(field, **options)}


async def _indexes(s: Any) -> Document:
    return {"fields": await s.json.indexes()}


async def _find(s: Any, **given: Any) -> Document:
    found = await s.json.find(**given)
    return {"documents": [{"key": key, "value": value} for key, value in found]}


JSON: Final = (
    Operation(
        "json_set",
        "Store a document, or the value at a path.",
        (_KEY, _VALUE, _PATH),
        _set,
        _NUMBERED,
        writes=True,
    ),
    Operation(
        "json_cas",
        "Store a document if it has the expected version.",
        (_KEY, _VALUE, VERSION),
        _cas,
        _NUMBERED,
        writes=True,
    ),
    Operation(
        "json_merge",
        "Merge into a document (RFC 7396).",
        (_KEY, Parameter("patch", "value", "Members replace members, null removes.")),
        _merge,
        _NUMBERED,
        writes=True,
    ),
    Operation(
        "json_patch",
        "Apply a JSON patch (RFC 6902), all of it or nothing.",
        (_KEY, Parameter("operations", "patch", "The operations.")),
        _patch,
        _NUMBERED,
        writes=True,
    ),
    Operation(
        "json_get",
        "Return a document, or the value at a path.",
        (_KEY, _PATH),
        _get,
        {"found": BOOL, "value": VALUE},
    ),
    Operation(
        "json_query",
        "Return every value that a path leads to (RFC 9535).",
        (_KEY, Parameter("path", "text", "A path, as $..price.")),
        _query,
        {"values": listed(VALUE)},
    ),
    Operation(
        "json_delete",
        "Delete a document, or the value at a path.",
        (_KEY, _PATH),
        _delete,
        {"deleted": BOOL},
        writes=True,
    ),
    Operation(
        "json_list",
        "List the keys of documents in order.",
        (PREFIX, LIMIT, AFTER),
        _list,
        {"keys": NAMES},
    ),
    Operation("json_count", "Count documents.", (PREFIX,), _count, {"count": INT}),
    Operation(
        "json_history",
        "Return what a document was, the newest first.",
        (_KEY, LIMIT),
        _history,
        {"versions": listed(_VERSION)},
    ),
    Operation(
        "json_create_index",
        "Declare a field to find documents by.",
        (_FIELD,),
        _create_index,
        {"created": BOOL},
        writes=True,
    ),
    Operation(
        "json_drop_index",
        "Forget a declared field.",
        (_FIELD,),
        _drop_index,
        {"dropped": BOOL},
        writes=True,
    ),
    Operation("json_indexes", "List the declared fields.", (), _indexes, {"fields": NAMES}),
    Operation(
        "json_find",
        "Return the documents whose declared field compares so.",
        (
            _FIELD,
            Parameter("op", "text", "eq, ne, lt, lte, gt, gte, or in with a list."),
            Parameter("value", "value", "What to compare with."),
            LIMIT,
        ),
        _find,
        {"documents": listed(record({"key": TEXT, "value": VALUE}))},
    ),
)
