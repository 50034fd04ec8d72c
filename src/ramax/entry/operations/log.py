"""Operations on the log of entries."""

from typing import Any, Final

from ramax.entry.operations.answer import BOOL, INT, MAP, TEXT, TIME, WROTE, listed, or_null, record
from ramax.entry.operations.operation import LIMIT, Document, Operation, Parameter, moment, wrote
from ramax.errors import DataError

_TYPE: Final = Parameter("event_type", "text", "The type of an entry.")
_ONLY: Final = Parameter("event_type", "text", "Only entries of this type.", required=False)
_REVERSE: Final = Parameter("reverse", "bool", "The newest first.", required=False)

_ENTRY: Final = record(
    {
        "sequence": INT,
        "event_type": TEXT,
        "payload": MAP,
        "timestamp": TIME,
        "hash": TEXT,
        "previous_hash": TEXT,
    }
)
_VERIFIED: Final = {
    "length": INT,
    "valid": BOOL,
    "head": TEXT,
    "first_invalid": or_null(INT),
    "error": or_null(TEXT),
}


def _entry(entry: Any) -> Document:
    return {
        "sequence": entry.sequence,
        "event_type": entry.type,
        "payload": entry.payload,
        "timestamp": moment(entry.timestamp),
        "hash": entry.hash.hex(),
        "previous_hash": entry.previous_hash.hex(),
    }


async def _append(s: Any, event_type: str, payload: Any, **options: Any) -> Document:
    commit = await s.log.append(event_type, payload, **options)
    return wrote(commit, sequence=commit.sequence)


async def _append_many(s: Any, entries: Any, **options: Any) -> Document:
    for entry in entries:
        if not isinstance(entry, dict) or set(entry) != {"event_type", "payload"}:
            raise DataError("entries", entry, "give objects of event_type and payload")
    pairs = [(entry["event_type"], entry["payload"]) for entry in entries]
    commit = await s.log.append_many(pairs, **options)
    return wrote(commit, sequences=list(commit.sequences))


async def _get(s: Any, sequence: int) -> Document:
    entry = await s.log.get(sequence)
    return {"found": entry is not None, "entry": None if entry is None else _entry(entry)}


async def _range(s: Any, **given: Any) -> Document:
    return {"entries": [_entry(entry) async for entry in s.log.range(**given)]}


async def _range_by_time(s: Any, **given: Any) -> Document:
    return {"entries": [_entry(entry) async for entry in s.log.range_by_time(**given)]}


async def _len(s: Any, **given: Any) -> Document:
    return {"length": await s.log.len(**given)}


async def _types(s: Any) -> Document:
    return {"types": await s.log.types()}


async def _verify(s: Any) -> Document:
    found = await s.log.verify()
    return {
        "length": found.length,
        "valid": found.valid,
        "head": found.head.hex(),
        "first_invalid": found.first_invalid,
        "error": found.error,
    }


LOG: Final = (
    Operation(
        "log_append",
        "Add an entry at the end.",
        (_TYPE, Parameter("payload", "map", "What happened.")),
        _append,
        {**WROTE, "sequence": INT},
        writes=True,
    ),
    Operation(
        "log_append_many",
        "Add entries in order, all or none.",
        (Parameter("entries", "maps", "Objects of event_type and payload."),),
        _append_many,
        {**WROTE, "sequences": listed(INT)},
        writes=True,
    ),
    Operation(
        "log_get",
        "Return an entry.",
        (Parameter("sequence", "int", "1, 2, 3 …"),),
        _get,
        {"found": BOOL, "entry": or_null(_ENTRY)},
    ),
    Operation(
        "log_range",
        "Return the entries with start <= sequence < end.",
        (
            Parameter("start", "int", "The first one; 1 unless it is given.", required=False),
            Parameter("end", "int", "Up to, and without, this one.", required=False),
            LIMIT,
            _REVERSE,
            _ONLY,
        ),
        _range,
        {"entries": listed(_ENTRY)},
    ),
    Operation(
        "log_range_by_time",
        "Return the entries with start <= timestamp < end.",
        (
            Parameter("start", "time", "In ISO 8601, with a time zone."),
            Parameter("end", "time", "In ISO 8601, with a time zone.", required=False),
            LIMIT,
            _REVERSE,
            _ONLY,
        ),
        _range_by_time,
        {"entries": listed(_ENTRY)},
    ),
    Operation("log_len", "Count the entries.", (_ONLY,), _len, {"length": INT}),
    Operation(
        "log_types",
        "Return the types of entries and how many there are of each.",
        (),
        _types,
        {"types": MAP},
    ),
    Operation("log_verify", "Compute the hash of every entry anew.", (), _verify, _VERIFIED),
)
