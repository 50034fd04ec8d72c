"""The databases that the real Ramax wrote, and what the JSON beside each says it holds."""

import base64
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from ramax.values import Ref

DATA = Path(__file__).parents[1] / "data" / "legacy"
NAMES = ("sample_legacy", "sample_spaces")


def told(value: Any) -> Any:
    """A value as the samples' JSON tells it."""
    if isinstance(value, list):
        return [told(item) for item in value]
    if not isinstance(value, dict):
        return value
    tag = next((key for key in value if key in TAGGED), None)
    return TAGGED[tag](value) if tag else {key: told(item) for key, item in value.items()}


TAGGED: dict[str, Callable[[dict[str, Any]], Any]] = {
    "$ref": lambda value: Ref(value["$ref"]),
    "$tuple": lambda value: tuple(told(item) for item in value["$tuple"]),
    "$bytes": lambda value: base64.b64decode(value["$bytes"]),
    "$datetime": lambda value: datetime.fromisoformat(value["$datetime"]),
    "$map": lambda value: {told(key): told(item) for key, item in value["$map"]},
    "$struct": lambda value: {"__struct__": value["$struct"]} | told(value["fields"]),
}


def typed(value: Any) -> Any:
    """Spell out every type, so that == compares types too."""
    if isinstance(value, dict):
        return dict, {(type(key), key): typed(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value), [typed(item) for item in value]
    return type(value), value
