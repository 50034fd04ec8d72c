"""One operation as data: what it takes, whether it writes, what it does, what it answers."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

from ramax.entry.operations.answer import Schema, record
from ramax.errors import DataError
from ramax.values import Commit

Kind = Literal["text", "int", "bool", "value", "texts", "map", "maps", "numbers", "time", "patch"]

SCHEMAS: Final[dict[str, dict[str, Any]]] = {
    "text": {"type": "string"},
    "int": {"type": "integer"},
    "bool": {"type": "boolean"},
    "value": {},
    "texts": {"type": "array", "items": {"type": "string"}},
    "map": {"type": "object"},
    "maps": {"type": "array", "items": {"type": "object"}},
    "numbers": {"type": "array", "items": {"type": "number"}},
    "time": {"type": "string", "format": "date-time"},
    "patch": {"type": "array", "items": {"type": "object"}},
}
"""What each kind of parameter is in JSON Schema."""

_TYPES: Final[dict[str, tuple[type, ...]]] = {
    "text": (str,),
    "int": (int,),
    "bool": (bool,),
    "value": (object,),
    "texts": (list, tuple),
    "map": (dict,),
    "maps": (list, tuple),
    "numbers": (list, tuple),
    "time": (datetime, str),
    "patch": (list, tuple),
}

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Parameter:
    """What an operation takes; one that is not required may be left out, or be None."""

    name: str
    kind: Kind
    about: str
    required: bool = True

    def checked(self, value: Any) -> Any:
        """Return the value as the operation takes it.

        Raises:
            DataError: It is of another kind.
        """
        fits = isinstance(value, _TYPES[self.kind])
        if not fits or (self.kind == "int" and isinstance(value, bool)):
            raise DataError(self.name, value, f"must be of the kind {self.kind!r}")
        if self.kind == "time" and isinstance(value, str):
            try:
                return datetime.fromisoformat(value)
            except ValueError:
                raise DataError(self.name, value, "must be a time in ISO 8601") from None
        return value


BRANCH: Final = Parameter(
    "branch", "text", "The branch; the one in use unless it is given.", required=False
)
OPTIONS: Final = (
    Parameter(
        "idempotency_key",
        "text",
        "Whoever repeats it gets the first answer, and nothing is written twice.",
        required=False,
    ),
    Parameter(
        "expected_sequence", "int", "The last event that the space must have.", required=False
    ),
)
"""What every write to a space can be given."""


@dataclass(frozen=True, slots=True)
class Operation:
    """What `Database.call` does, what a command of ``ramax kv|log|…`` runs, what an agent calls.

    ``run`` takes the database for an operation on ``spaces`` or a ``branch``, else a view of the
    space.
    """

    name: str
    about: str
    parameters: tuple[Parameter, ...]
    run: Callable[..., Awaitable[Document]]
    answer: Mapping[str, Schema]
    """What each member of what it answers is."""

    writes: bool = False

    @property
    def group(self) -> str:
        """What it is about: ``spaces``, ``search``, or the name of a data type."""
        return self.name.partition("_")[0]

    @property
    def verb(self) -> str:
        """What it does: its name without the group."""
        return self.name.partition("_")[2]

    @property
    def of_space(self) -> bool:
        """Whether it takes a space, which is `default` unless another one is named."""
        return self.group not in {"spaces", "branch"}

    @property
    def on_branch(self) -> bool:
        """Whether it is about one branch: that of the database in use, unless one is named."""
        return self.group != "branch"

    @property
    def takes(self) -> tuple[Parameter, ...]:
        """What it takes beside the space; every write to a space has the same options."""
        options = OPTIONS if self.writes and self.of_space else ()
        return (*self.parameters, *options)

    @property
    def output_schema(self) -> Document:
        """What it answers, as JSON Schema."""
        return record(self.answer)

    @property
    def schema(self) -> Document:
        """What it takes, as JSON Schema."""
        properties = {p.name: {**SCHEMAS[p.kind], "description": p.about} for p in self.takes}
        if self.of_space:
            about = "The space; `default` unless it is given."
            properties["space"] = {"type": "string", "description": about}
        if self.on_branch:
            properties["branch"] = {"type": "string", "description": BRANCH.about}
        return {
            "type": "object",
            "properties": properties,
            "required": [p.name for p in self.parameters if p.required],
            "additionalProperties": False,
        }

    def arguments(self, given: Mapping[str, Any]) -> Document:
        """Return what was given, checked against the parameters.

        Raises:
            DataError: One is missing, unknown, or of another kind.
        """
        known = {parameter.name: parameter for parameter in self.takes}
        for name in given:
            if name not in known:
                raise DataError(self.name, name, f"takes {', '.join(known) or 'nothing'}")
        found: Document = {}
        for name, parameter in known.items():
            if given.get(name) is not None or (name in given and parameter.kind == "value"):
                found[name] = parameter.checked(given[name])
            elif parameter.required:
                raise DataError(self.name, name, "is missing")
        return found


LIMIT: Final = Parameter("limit", "int", "At most so many.", required=False)
PREFIX: Final = Parameter("prefix", "text", "Only names that begin with it.", required=False)
AFTER: Final = Parameter("after", "text", "Only names above this one.", required=False)
VERSION: Final = Parameter(
    "expected_version", "int", "The version it must have; none: not there.", required=False
)


def wrote(commit: Commit, **more: Any) -> Document:
    """Describe a commit."""
    return {"space_sequence": commit.space_sequence, "event_ids": list(commit.event_ids), **more}


def moment(time: datetime) -> str:
    """Write a time."""
    return time.isoformat(timespec="microseconds")
