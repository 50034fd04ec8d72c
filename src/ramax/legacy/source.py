"""Read an Elixir database of any age as neutral records, without changing it."""

from collections import Counter
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

from ramax.errors import LegacyFormatError
from ramax.legacy.files import opened
from ramax.legacy.plan import make_plan
from ramax.legacy.records import BadRow, LegacyCheckpoint, LegacyEvent, LegacySpace, LegacyValue
from ramax.legacy.rows import checkpoint_time, event_of, value_of
from ramax.legacy.stored import Only, StoredRows
from ramax.legacy.tables import PSTATE, SourceTables, find_tables

LEGACY_CHECKPOINT: Final = "legacy"
"""The name of a checkpoint that Elixir kept: its library never moved it with the pstate."""

PSTATE_CHECKPOINT: Final = "pstate"
"""The name of the checkpoint that says how far the pstate is."""

OnBad = Callable[[BadRow], None]


class LegacySource:
    """An old database that is open for reading: its spaces, and what is in them.

    ``form`` says in words what it is. ``orphans`` counts the pstate rows of deleted spaces, which
    `values` leaves out, by space id. ``bad_spaces`` are the spaces whose metadata cannot be read.
    ``highest_event_id`` and ``highest_space_id`` are the highest that were ever used,
    ``lowest_event_id`` is the lowest of an event that is there.
    """

    def __init__(
        self, tables: SourceTables, space_name: str, leave_out: Collection[BadRow]
    ) -> None:
        self.form = tables.description
        self._stored = StoredRows(tables, leave_out)
        self._plan = make_plan(self._stored, space_name)
        self.orphans = self._plan.orphans
        self.bad_spaces = self._plan.bad_spaces
        self.lowest_event_id = self._stored.lowest_event_id()
        self.highest_event_id = self._stored.highest("events", "event_id")
        self.highest_space_id = max(
            *(self._stored.highest(role, "space_id") for role in self._stored.tables),
            *self._plan.spaces,
            0,
        )

    @property
    def spaces(self) -> tuple[LegacySpace, ...]:
        """The spaces to be, by id."""
        return tuple(self._plan.spaces.values())

    def event_ids(self) -> Iterator[int]:
        """Read the ids of all events, in order."""
        return (event_id for (event_id,) in self._stored.event_ids())

    def events(
        self, bad: OnBad | None = None, *, space_id: int | None = None
    ) -> Iterator[LegacyEvent]:
        """Read events by event id, of all spaces or of one; sequences as they are to be.

        A row that cannot be taken over is given to ``bad`` and passed over; without ``bad`` it
        raises `LegacyFormatError`, which names its id.
        """
        ranks: Counter[int] = Counter()
        for event_id, space, sequence, *others in self._stored.events(self._only(space_id)):
            try:
                owner = self._plan.space_of(space)
                assert owner is not None  # every space that events name is one of the plan's
                ranks[owner] += 1
                place = ranks[owner] if self._plan.tallies[owner].renumbered else sequence
                event = event_of((event_id, *others), owner, place)
            except LegacyFormatError as error:
                self._report("events", (event_id,), error, bad)
            else:
                yield event

    def values(
        self, bad: OnBad | None = None, *, space_id: int | None = None
    ) -> Iterator[LegacyValue]:
        """Read pstate by space and key, without that of deleted spaces; arguments as in `events`.

        Where rows of one space name it and others do not, those that do not come first.
        """
        for space, key, *others in self._stored.values(self._only(space_id)):
            try:
                owner = self._plan.space_of(space)
                value = None if owner is None else value_of((key, *others), owner)
            except LegacyFormatError as error:
                self._report(PSTATE, self._stored.value_id(space, key), error, bad)
            else:
                if value is not None:
                    yield value

    def checkpoints(self, bad: OnBad | None = None) -> Iterator[LegacyCheckpoint]:
        """Read, by space, how far its pstate is, and the checkpoint that was kept for it.

        Elixir applies events to pstate as it appends them, so pstate is at the last event, with two
        exceptions. Without any pstate all events are still to be folded (perhaps its pstate was in
        another file). And after the ALTER statements of the Elixir guide every write of pstate has
        failed: what was appended since is still to be folded. A kept checkpoint is brought between
        0 and the last event; ``bad`` as in `events`.
        """
        altered = self._stored.form(PSTATE) == "altered"
        for space_id, space in self._plan.spaces.items():
            tally = self._plan.tallies[space_id]
            reached = tally.before_restart if altered else tally.end
            if not space.key_count:
                reached = (0, 0)
            yield LegacyCheckpoint(space_id, PSTATE_CHECKPOINT, *reached, tally.last_timestamp)
        for space_id, *others in self._stored.checkpoints():
            if space_id not in self._plan.spaces:
                continue
            tally = self._plan.tallies[space_id]
            try:
                updated_at = checkpoint_time(others)
            except LegacyFormatError as error:
                self._report("projection_checkpoints", (space_id,), error, bad)
            else:
                moment = tally.last_timestamp if updated_at is None else updated_at
                yield LegacyCheckpoint(space_id, LEGACY_CHECKPOINT, *tally.at_kept, moment)

    def _only(self, space_id: int | None) -> Only:
        if space_id is None:
            return None
        return (space_id, None) if space_id == self._plan.home else (space_id,)

    def check_unchanged(self) -> None:
        """Raise `LegacyFormatError` if a file was written to since it was opened."""
        for table in self._stored.tables.values():
            table.file.check_unchanged()

    def row_of(self, record: LegacyEvent | LegacyValue) -> tuple[str, tuple[object, ...]]:
        """Table and id of a record, as in `BadRow`."""
        if isinstance(record, LegacyEvent):
            return self._stored.name("events"), (record.event_id,)
        key = self._stored.value_id(record.space_id, record.key.encode())
        return self._stored.name(PSTATE), key

    def _report(
        self, role: str, row: tuple[Any, ...], error: LegacyFormatError, bad: OnBad | None
    ) -> None:
        found = BadRow(self._stored.name(role), row, str(error))
        if bad is None:
            raise LegacyFormatError(found.where, error.value, error.rule) from error
        bad(found)


@contextmanager
def open_source(
    *paths: Path,
    pstate_table: str | None = None,
    space_name: str = "default",
    leave_out: Collection[BadRow] = (),
) -> Iterator[LegacySource]:
    """Open the file, or the files with events and pstate, of an Elixir Ramax.

    ``space_name`` is for rows that name no space; ``pstate_table`` is needed if there are several;
    ``leave_out`` are rows that an inspection has found to be bad: all numbers are without them.
    Raises `LegacyFormatError` for a file that is no such database, is damaged, or is in use.
    """
    with ExitStack() as stack:
        files = [stack.enter_context(opened(path)) for path in paths]
        yield LegacySource(find_tables(files, pstate_table), space_name, leave_out)
