"""What operations answer, as JSON Schema; values in them have their form in JSON."""

from collections.abc import Mapping
from typing import Any, Final

Schema = dict[str, Any]

TEXT: Final[Schema] = {"type": "string"}
INT: Final[Schema] = {"type": "integer"}
NUMBER: Final[Schema] = {"type": "number"}
BOOL: Final[Schema] = {"type": "boolean"}
MAP: Final[Schema] = {"type": "object"}
VALUE: Final[Schema] = {}
"""Anything."""

TIME: Final[Schema] = {"type": "string", "format": "date-time"}


def listed(items: Schema) -> Schema:
    """Describe a list of such."""
    return {"type": "array", "items": items}


def or_null(schema: Schema) -> Schema:
    """Describe one of these, or nothing."""
    return {"anyOf": [schema, {"type": "null"}]}


def record(fields: Mapping[str, Schema]) -> Schema:
    """Describe an object that has these members, always, and no others."""
    return {
        "type": "object",
        "properties": dict(fields),
        "required": list(fields),
        "additionalProperties": False,
    }


WROTE: Final = {"space_sequence": INT, "event_ids": listed(INT)}
"""What is said of a commit."""

NAMES: Final = listed(TEXT)
