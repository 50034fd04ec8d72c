"""Old databases, as the Elixir Ramax left them: read as they are, never changed, and imported."""

from ramax.legacy.event_ids import EventIds
from ramax.legacy.examination import Examined, examined
from ramax.legacy.importer import import_examined, import_legacy
from ramax.legacy.inspection import LegacyReport, RenamedKey, inspect
from ramax.legacy.records import BadRow, LegacyCheckpoint, LegacyEvent, LegacySpace, LegacyValue
from ramax.legacy.report import (
    BadRowsError,
    Difference,
    ImportConflictError,
    ImportedSpace,
    ImportReport,
    LostCause,
)
from ramax.legacy.source import LegacySource, open_source

__all__ = [
    "BadRow",
    "BadRowsError",
    "Difference",
    "EventIds",
    "Examined",
    "ImportConflictError",
    "ImportReport",
    "ImportedSpace",
    "LegacyCheckpoint",
    "LegacyEvent",
    "LegacyReport",
    "LegacySource",
    "LegacySpace",
    "LegacyValue",
    "LostCause",
    "RenamedKey",
    "examined",
    "import_examined",
    "import_legacy",
    "inspect",
    "open_source",
]
