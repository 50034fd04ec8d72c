"""What an import did, would do, or refuses to do."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from ramax.errors import LegacyFormatError, SpaceExistsError
from ramax.legacy.event_ids import EventIds
from ramax.legacy.inspection import LegacyReport
from ramax.legacy.records import BadRow, LegacySpace


@dataclass(frozen=True, slots=True)
class ImportedSpace:
    """Where a space of the old database is now.

    ``present``: it was there already, with all the old events, and was left as it is.
    ``space_id`` is None where a dry run cannot know it.
    """

    old: LegacySpace
    space_id: int | None
    space_name: str
    present: bool


@dataclass(frozen=True, slots=True)
class LostCause:
    """An event whose causation id, rewritten, would be another event's; it has none now.

    No event of the old database has that id. Both ids are the old ones.
    """

    event_id: int
    causation_id: int


@dataclass(frozen=True, slots=True)
class Difference:
    """A key whose old value is not what a domain folds."""

    space_name: str
    key: str
    kind: Literal["differs", "only in the old pstate", "only in the fold"]


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What became of an old database.

    ``source`` is what was found in it: also the rows that were left out (``bad_rows``), and the
    pstate of deleted spaces (``orphans``), which is not imported. ``event_ids`` is empty in a dry
    run that cannot know them. ``verified`` tells that pstate was compared with a domain's fold;
    ``differences`` is what was found then, ``rebuilt`` that the fold was stored.
    """

    source: LegacyReport
    dry_run: bool
    spaces: tuple[ImportedSpace, ...]
    event_ids: EventIds
    lost_causes: tuple[LostCause, ...]
    verified: bool
    rebuilt: bool
    differences: tuple[Difference, ...]

    @property
    def space_ids(self) -> Mapping[int, int]:
        """Old space ids and new ones, as far as they are known."""
        return {s.old.space_id: s.space_id for s in self.spaces if s.space_id is not None}

    @property
    def event_count(self) -> int:
        """Events that were written, or would be."""
        return sum(space.old.event_count for space in self.spaces if not space.present)

    @property
    def key_count(self) -> int:
        """Old pstate keys of the spaces that were written, or would be."""
        return sum(space.old.key_count for space in self.spaces if not space.present)


class BadRowsError(LegacyFormatError):
    """Rows of an old database cannot be taken over; nothing was written."""

    code = "data.legacy.rows"

    def __init__(self, bad_rows: Sequence[BadRow]) -> None:
        self.bad_rows = tuple(bad_rows)
        first, others = self.bad_rows[0], len(self.bad_rows) - 1
        more = f", and {others} more" if others else ""
        super().__init__("row", first.where, f"{first.rule}{more}; skip_bad leaves them out")


class ImportConflictError(SpaceExistsError):
    """Spaces of these names exist already and hold something else; nothing was written.

    ``conflicts`` says for each name what is there.
    """

    code = "exists.space.import"

    def __init__(self, conflicts: Mapping[str, str]) -> None:
        self.conflicts = dict(conflicts)
        super().__init__(next(iter(self.conflicts)))
        found = "; ".join(f"space {name!r} {reason}" for name, reason in self.conflicts.items())
        self.args = (f"{found}; import under another name with rename={{old: new}}",)
