"""What of a space is searched, as its row says, and the text that a stored value has there."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time
from decimal import Decimal
from functools import lru_cache
from typing import Any, Final, NamedTuple
from uuid import UUID

from ramax.core.datatypes import log, versioned
from ramax.core.datatypes.json import JSON
from ramax.core.datatypes.kv import KV
from ramax.core.datatypes.log import LOG
from ramax.core.keys import FIRST, OWN
from ramax.core.state import Packed, unpack
from ramax.errors import DataError

TYPES: Final = ("kv", "json", "log")
"""The data types that have text; ``pstate`` is the application's own keys."""

PSTATE: Final = "pstate"
INLINE: Final = "inline"
ASYNC: Final = "async"
_LOG_ENTRIES: Final = LOG.prefix + log.ENTRIES
_JSON_LIVE: Final = JSON.prefix + versioned.LIVE
_LONGEST_DECLARATION: Final = 20_000


_READABLE: Final = (int, float, Decimal, UUID, datetime, date, time)


class Text(NamedTuple):
    """The text of one thing: of which type it is, what it is called there, and what it says."""

    type: str
    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Searched:
    """Which data types, and which fields of the application's values by the prefix of the key."""

    types: tuple[str, ...] = TYPES
    fields: Mapping[str, Sequence[str]] = field(default_factory=dict)
    filling: str | None = None
    """Who is about to index what was there before; None: it is done."""

    later: bool = False
    """Whether texts are indexed after the commit, by whoever looks after it."""

    def stored(self) -> str:
        """Write it as the row of the space holds it."""
        fields = {prefix: list(names) for prefix, names in sorted(self.fields.items())}
        said: dict[str, Any] = {"types": sorted(self.types), "fields": fields}
        if self.later:
            said["later"] = True
        return json.dumps({**said, "filling": self.filling}, sort_keys=True)


def declared(types: Any, fields: Any, mode: Any = INLINE) -> Searched:
    """Check what is to be searched.

    Raises:
        DataError: A type is unknown, a prefix is not one of an application, or a list of fields
            is empty or holds something else than names; or the mode is neither.
    """
    if mode not in (INLINE, ASYNC):
        raise DataError("mode", mode, f"is {INLINE!r} or {ASYNC!r}")
    chosen = TYPES if types is None else types
    if isinstance(chosen, str) or not all(each in TYPES for each in chosen):
        raise DataError("types", types, f"are some of {', '.join(TYPES)}")
    wanted = {} if fields is None else fields
    if not isinstance(wanted, Mapping):
        raise DataError("fields", fields, "give a mapping of key prefix to field names")
    for prefix, names in wanted.items():
        if not isinstance(prefix, str) or (prefix and prefix < FIRST) or "\x00" in prefix:
            raise DataError("prefix", prefix, "must be a str that keys of the pstate begin with")
        if isinstance(names, str) or not names or not all(isinstance(n, str) for n in names):
            raise DataError("fields", names, "give a list of field names")
    listed = {prefix: list(names) for prefix, names in wanted.items()}
    made = Searched(tuple(sorted(set(chosen))), listed, later=mode == ASYNC)
    if len(made.stored()) > _LONGEST_DECLARATION:
        raise DataError("fields", fields, "are too many")
    return made


@lru_cache(maxsize=1024)
def searched(stored: str) -> Searched:
    """Read what `Searched.stored` wrote."""
    found = json.loads(stored)
    return Searched(
        tuple(found["types"]), found["fields"], found["filling"], later=found.get("later", False)
    )


def type_of(what: Searched, key: str) -> tuple[str, str] | None:
    """Return type and name of what is stored under a key; None where it is not searched."""
    if not key.startswith(OWN):
        return (PSTATE, key) if what.fields and _fields_of(what, key) is not None else None
    found = None
    if key.startswith(KV.prefix):
        found = "kv", key[len(KV.prefix) :]
    elif key.startswith(_JSON_LIVE):
        found = "json", key[len(_JSON_LIVE) :]
    elif key.startswith(_LOG_ENTRIES):
        found = "log", str(int(key[len(_LOG_ENTRIES) :], 16))
    return found if found is not None and found[0] in what.types else None


def text_of(what: Searched, key: str, packed: Packed) -> Text | None:
    """Return the text of a stored value; None where it is not searched."""
    found = type_of(what, key)
    if found is None:
        return None
    type_, name = found
    value = unpack(packed)
    parts: Iterator[str] | list[str]
    if type_ == "log":
        parts = [value[0], *_texts(value[1])]
    elif type_ == "json":
        parts = [name, *_texts(value[1])]
    elif type_ == "kv":
        parts = [name, *_texts(value)]
    else:
        names = _fields_of(what, key) or ()
        chosen = [value[n] for n in names if n in value] if isinstance(value, Mapping) else []
        parts = _texts(chosen)
    return Text(type_, name, "\n".join(parts).replace("\x00", " "))


def _fields_of(what: Searched, key: str) -> Sequence[str] | None:
    fitting = [prefix for prefix in what.fields if key.startswith(prefix)]
    return what.fields[max(fitting, key=len)] if fitting else None


def _texts(value: Any) -> Iterator[str]:
    """Yield what of a value can be read: text, numbers, times; not the names of fields."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from _texts(each)
    elif isinstance(value, (list, tuple, set, frozenset)):
        for each in sorted(value, key=repr) if isinstance(value, (set, frozenset)) else value:
            yield from _texts(each)
    elif isinstance(value, _READABLE) and type(value) is not bool:
        yield str(value)
