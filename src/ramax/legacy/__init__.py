"""Old databases, as the Elixir Ramax left them: read as they are, never changed."""

from ramax.legacy.inspection import LegacyReport, RenamedKey, inspect
from ramax.legacy.records import BadRow, LegacyCheckpoint, LegacyEvent, LegacySpace, LegacyValue
from ramax.legacy.source import LegacySource, open_source

__all__ = [
    "BadRow",
    "LegacyCheckpoint",
    "LegacyEvent",
    "LegacyReport",
    "LegacySource",
    "LegacySpace",
    "LegacyValue",
    "RenamedKey",
    "inspect",
    "open_source",
]
