"""What a subscription reads: pages of one space, or of all spaces below the watermark.

A page says how far it has looked, which may be further than its last event: what was filtered out
counts as seen.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from ramax.core.domain import Domain
from ramax.errors import SpaceNotFoundError
from ramax.runtime.late_rows import LateRow, with_late
from ramax.storage import feed
from ramax.storage.events import read_end, read_page, recorded_events
from ramax.storage.executors import Executor, Row
from ramax.storage.replicas import read_replicated
from ramax.values import MAIN_BRANCH, Event, Space, as_late

_TYPE = 4
"""Where the type is in a row of a page."""


class Page(NamedTuple):
    """Rows after a position, how far was looked, and where the log ended by then."""

    rows: Sequence[Row]
    upto: int
    end: int

    @property
    def complete(self) -> bool:
        """Whether that is all there was."""
        return self.upto >= self.end


@dataclass(frozen=True, slots=True)
class Only:
    """Which events a subscription wants; None is any, ``tags`` are those that it must have."""

    types: frozenset[str] | None = None
    entities: frozenset[str] | None = None
    tags: frozenset[str] = frozenset()

    def wants(self, event: Event) -> bool:
        """Say whether an event, in today's shape, is wanted."""
        return (
            (self.types is None or event.event_type in self.types)
            and (self.entities is None or event.entity_id in self.entities)
            and (not self.tags or self.tags.issubset(event.tags))
        )

    def stored(self, rows: Sequence[Row], domain: Domain | None) -> Sequence[Row]:
        """Return the rows that may become wanted events; the others need not be decoded."""
        if self.types is None:
            return rows
        types = self.types if domain is None else self.types | domain.upcast_types
        return [row for row in rows if row[_TYPE] in types]

    def events(self, row: Row, domain: Domain | None, name: str) -> list[Event]:
        """Make the wanted events of a row."""
        found = [event for event in recorded_events([row], domain, name) if self.wants(event)]
        return [*map(as_late, found)] if type(row) is LateRow else found


class Source(Protocol):
    """A log that is read on from a position."""

    @property
    def name(self) -> str:
        """What it is called in messages."""
        ...

    def read(self, ex: Executor, after: int, limit: int) -> Page:
        """Read the next page."""
        ...

    def end(self, ex: Executor) -> int:
        """Return the position of the newest event."""
        ...

    def events(self, row: Row) -> list[Event]:
        """Make the wanted events of a row: one, or as many as upcasters make of it."""
        ...

    def position(self, event: Event) -> int:
        """Return where an event is in the order of this source."""
        ...


@dataclass(slots=True)
class SpaceSource:
    """One space, by sequence."""

    space: Space
    only: Only
    domain: Domain | None = None
    _head: int = 0
    _replicated: bool = False

    @property
    def name(self) -> str:
        """See `Source.name`."""
        return self.space.space_name

    def read(self, ex: Executor, after: int, limit: int) -> Page:
        """See `Source.read`; the head is read first, so every event up to it is there."""
        if after >= self._head:
            self._head = self.end(ex)
        rows = read_page(
            ex,
            self.space.space_id,
            after=after,
            upto=self._head,
            limit=limit,
        )
        if self._replicated and rows:
            rows = with_late(ex, rows, {self.space.space_id})
        upto = rows[-1][2] if len(rows) == limit else max(self._head, after)
        return Page(self.only.stored(rows, self.domain), upto, self._head)

    def end(self, ex: Executor) -> int:
        """See `Source.end`."""
        end = read_end(ex, self.space.space_id)
        if end is None:
            raise SpaceNotFoundError(self.space.space_name)
        head, self._replicated = end
        return head

    def events(self, row: Row) -> list[Event]:
        """See `Source.events`."""
        return self.only.events(row, self.domain, self.name)

    def position(self, event: Event) -> int:
        """See `Source.position`."""
        return event.space_sequence


@dataclass(slots=True)
class FeedSource:
    """All spaces, or every so-manieth of them, by event id and never beyond the watermark."""

    only: Only
    partition: int = 0
    partitions: int = 1
    domain: Domain | None = None
    branch_id: int = MAIN_BRANCH
    _safe: int = 0
    _replicated: frozenset[int] | None = None
    name: str = field(default="all spaces", init=False)

    def read(self, ex: Executor, after: int, limit: int) -> Page:
        """See `Source.read`."""
        if after >= self._safe:
            self._safe, self._replicated = feed.safe_event_id(ex), None
        rows = feed.read_partition_page(
            ex,
            after=after,
            upto=self._safe,
            limit=limit,
            partition=self.partition,
            partitions=self.partitions,
            branch_id=self.branch_id,
        )
        if rows:
            if self._replicated is None:  # as of then or later, so all that is safe is known
                self._replicated = read_replicated(ex)
            rows = with_late(ex, rows, self._replicated)
        upto = rows[-1][0] if len(rows) == limit else max(self._safe, after)
        return Page(self.only.stored(rows, self.domain), upto, self._safe)

    def end(self, ex: Executor) -> int:
        """See `Source.end`: nothing can appear below it any more."""
        return feed.safe_event_id(ex)

    def events(self, row: Row) -> list[Event]:
        """See `Source.events`."""
        return self.only.events(row, self.domain, self.name)

    def position(self, event: Event) -> int:
        """See `Source.position`."""
        return event.event_id
