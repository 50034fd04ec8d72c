"""A unit of work on one space: decides commands in memory and gathers what is to be written."""

import inspect
import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache, partial
from typing import Any, Final, NamedTuple

from ramax.core.codec import decode, encode_payload
from ramax.core.domain import OWN_TYPES, Command, Domain
from ramax.core.entity import Link
from ramax.core.folding import apply_command
from ramax.core.fulltext.documents import Searched
from ramax.core.limits import (
    check_entity_id,
    check_name,
    check_optional_id,
    check_payload_size,
    check_version,
)
from ramax.core.mapping import ReadState, WriteState
from ramax.core.projections import Projection
from ramax.core.state import Packed, Source, SpaceState
from ramax.core.sync.head import UID_BYTES, Place, ReplicaHead
from ramax.core.sync.record import REFUSED
from ramax.core.tags import checked_tags, pack_tags, unpack_tags
from ramax.errors import ConcurrencyError, DataError, MisuseError
from ramax.values import Commit, Event, NewEvent, applied_event, marked, recorded_event


class Guard(NamedTuple):
    """The hot row of a space as a decision was made on it, and what goes with those numbers.

    ``checkpoint`` is the sequence up to which the pstate is folded; ``domains`` are the names of
    the domains that folded it, None where nobody recorded them. ``head_hash`` is the newest hash
    of a space that has a hash chain. ``indexed`` says which fields
    have an index of all their references, None where there is none. ``searched`` says what of the
    space has an index of its texts. ``in_step`` are inline projections that are known to be where
    the pstate is; None where nobody has looked. ``replica`` is the packed `ReplicaHead` of a
    replicated space.
    """

    last_sequence: int
    state_version: int
    last_timestamp: int
    checkpoint: int
    domains: frozenset[str] | None
    head_hash: bytes | None = None
    indexed: str | None = None
    searched: Searched | None = None
    in_step: frozenset[str] | None = None
    replica: bytes | None = None

    @property
    def replacements(self) -> int:
        """How often the pstate was replaced as a whole: the high half of the state version."""
        return self.state_version >> _REPLACEMENT_BITS

    @property
    def step_to_replacement(self) -> int:
        """What to add to the state version when the pstate is replaced; else it moves by 1."""
        return ((self.replacements + 1) << _REPLACEMENT_BITS) - self.state_version


_REPLACEMENT_BITS = 32


class EventRow(NamedTuple):
    """One event on its way into the log; the order of its columns is the INSERT's."""

    sequence: int
    entity_id: str
    event_type: str
    payload: bytes
    micros: int
    causation_id: int | None
    correlation_id: str | None
    metadata: bytes | None
    version: int = 1
    tags: bytes | None = None


_row: Callable[[Iterable[Any]], EventRow] = partial(tuple.__new__, EventRow)
"""Makes a row of its values, in a third of the time of the class itself."""


class Causes(NamedTuple):
    """What the events of a command inherit unless they say otherwise."""

    causation_id: int | None = None
    correlation_id: str | None = None


@dataclass(slots=True)
class SpaceWrite:
    """What one unit of work adds to one space; every list may be empty."""

    space_id: int
    guard: Guard
    events: Sequence[EventRow] = ()
    puts: Mapping[str, bytes] = field(default_factory=dict)
    deletes: Sequence[str] = ()
    last_timestamp: int = 0
    checkpoint: int | None = None
    checkpoint_event_id: int = 0  # for a checkpoint that moves without events of its own
    domains: frozenset[str] | None = None
    version_step: int = 0
    hashes: list[bytes] = field(default_factory=list)
    places: Mapping[int, Place] = field(default_factory=dict)
    """Of events among replicas, by sequence; those of other replicas are given."""

    replica: bytes | None = None
    links: dict[str, frozenset[Link]] = field(default_factory=dict)
    index_lost: bool = False
    in_step: frozenset[str] | None = None
    projected: Sequence[Any] = ()
    """Statements of inline projections, bound, in order."""

    positions: Mapping[str, int] = field(default_factory=dict)
    """Where inline projections are after them, by name."""

    @property
    def head_hash(self) -> bytes | None:
        """The newest hash after this write; None without a hash chain."""
        return self.hashes[-1] if self.hashes else self.guard.head_hash

    @property
    def last_sequence(self) -> int:
        """The sequence of the space after this write."""
        return self.guard.last_sequence + len(self.events)

    @property
    def after(self) -> Guard:
        """The guard of the space after this write."""
        guard = self.guard
        return Guard(
            guard.last_sequence + len(self.events),
            guard.state_version + self.version_step,
            max(self.last_timestamp, guard.last_timestamp),
            guard.checkpoint if self.checkpoint is None else self.checkpoint,
            guard.domains if self.domains is None else self.domains,
            self.head_hash,
            None if self.index_lost else guard.indexed,
            guard.searched,
            self.in_step,
            self.replica or guard.replica,
        )


_NO_PLACES: Final[dict[int, Place]] = {}
"""Of a space that is no replica; nobody writes to it."""

Project = Callable[[Projection, Iterable[Event]], Sequence[Any]]
"""Makes bound statements of what a projection makes of events."""


class SpaceUnit:
    """Runs commands of one space one after another; each contributes wholly or not at all."""

    __slots__ = (
        "domains",
        "folded",
        "guard",
        "in_step",
        "places",
        "positions",
        "project",
        "projected",
        "replica",
        "rows",
        "space_id",
        "space_name",
        "state",
        "timestamp",
        "touched",
    )

    def __init__(
        self,
        space_id: int,
        space_name: str,
        guard: Guard,
        source: Source,
        known: dict[str, Packed | None] | None = None,
    ) -> None:
        self.space_id, self.space_name, self.guard = space_id, space_name, guard
        self.state = SpaceState(source, known)
        self.state.index = guard.indexed
        self.rows: list[EventRow] = []
        self.timestamp = guard.last_timestamp
        self.folded = guard.checkpoint
        self.domains = guard.domains
        self.touched = False
        self.in_step = guard.in_step
        self.project: Project | None = None
        self.projected: list[Any] = []
        self.positions: dict[str, int] = {}
        self.places = _NO_PLACES
        self.replica: ReplicaHead | None = None
        if guard.replica is not None:
            self.places, self.replica = {}, ReplicaHead.unpack(guard.replica)

    @property
    def head(self) -> int:
        """The sequence of the newest event, this unit's own included."""
        return self.guard.last_sequence + len(self.rows)

    def execute(
        self, domain: Domain, command: Command, params: Any, causes: Causes, now: int
    ) -> tuple[EventRow, ...]:
        """Decide one command and fold its events.

        Raises:
            Exception: Whatever the command or an applicator raised; nothing of it stays.
        """
        before, replica = self.timestamp, self.replica
        try:
            result = command(ReadState(self.state, domain.schema, domain.prefix), params)
            new_events = checked_events(result, command)
            rows = self._new_rows(domain, new_events, causes, now)
            if self.replica is not None:
                self._place(rows, now)
            self._fold(domain, rows)
            if self.state.failure is not None:  # the domain caught what was not for it
                raise self.state.failure  # noqa: TRY301 - undone like any other failure
            projected = self._projected(domain, rows)
        except BaseException:
            self.timestamp, self.replica = before, replica
            self.state.discard()
            self._unplace()
            raise
        self.state.keep()
        self.rows += rows
        self.folded = self.guard.last_sequence + len(self.rows)
        if rows and (self.in_step or domain.projections.inline):
            self._step(domain, projected)
        return tuple(rows)

    def _projected(self, domain: Domain, rows: Sequence[EventRow]) -> Sequence[Any]:
        """Make what inline projections write of events; each sees values of its own."""
        inline = domain.projections.inline
        if not inline or self.project is None or not rows:
            return ()
        numbered = rows if self.replica is None else self._stamped(rows)
        bound: list[Any] = []
        for projection in inline:
            events: Iterable[Event] = map(as_applied, numbered)
            if domain.has_versions:
                events = domain.upcast(events, self.space_name)
            bound += self.project(projection, events)
        return bound

    def _step(self, domain: Domain, projected: Sequence[Any]) -> None:
        """Take along the projections of the domain; those of others stay behind.

        Events of ramax's own data types are nothing to any projection.
        """
        self.projected += projected
        if not domain.own:
            self.in_step = domain.projections.inline_names
        for name in self.in_step or ():
            self.positions[name] = self.folded

    def lags(self, names: frozenset[str], standing_at: Callable[[int], frozenset[str]]) -> bool:
        """Say whether one of these projections is not where the pstate is.

        Args:
            standing_at: Asked, where it is not known, which checkpoints are at a sequence.
        """
        if not self.folded:
            self.in_step = names | (self.in_step or frozenset())
        elif self.in_step is None or not names <= self.in_step:
            self.in_step = (self.in_step or frozenset()) | (standing_at(self.folded) & names)
        return not names <= self.in_step

    def execute_many(
        self, domain: Domain, commands: Iterable[tuple[Command, Any]], causes: Causes, now: int
    ) -> list[tuple[EventRow, ...]]:
        """Decide commands one after another, each on what the one before left; all or none."""
        state = self.state
        before = len(self.rows), self.timestamp, self.folded, self.replica
        written, links = dict(state.written), dict(state.links)
        projected, in_step, positions = len(self.projected), self.in_step, dict(self.positions)
        try:
            return [self.execute(domain, c, params, causes, now) for c, params in commands]
        except BaseException:
            count, self.timestamp, self.folded, self.replica = before
            state.written, state.links = written, links
            del self.rows[count:], self.projected[projected:]
            self.in_step, self.positions = in_step, positions
            self._unplace()
            raise

    def append(
        self, domain: Domain | None, new_events: Iterable[NewEvent], causes: Causes, now: int
    ) -> tuple[EventRow, ...]:
        """Add facts as they are; the pstate, and with it the checkpoint, stays behind."""
        rows = self._new_rows(domain, checked_events(new_events, "append"), causes, now)
        if self.replica is not None:
            self._place(rows, now)
        if rows:
            self.timestamp = rows[-1].micros
        self.rows += rows
        return tuple(rows)

    def _place(self, rows: Sequence[EventRow], now: int) -> None:
        """Give new events of a replicated space their place among those of all replicas."""
        assert self.replica is not None
        for row in rows:
            uid = secrets.token_bytes(UID_BYTES)
            self.places[row.sequence], self.replica = self.replica.own(uid, now)

    def _unplace(self) -> None:
        """Forget the places of events that are not to be written after all."""
        for sequence in [n for n in self.places if n > self.head]:
            del self.places[sequence]

    def receive(self, events: Iterable[tuple[EventRow, Place]]) -> tuple[EventRow, ...]:
        """Add events of other replicas as they are; the pstate stays behind.

        Their times do not move the clock of the space: another replica's may be wrong. Neither
        does the stamp of one that was refused.
        """
        assert self.replica is not None
        rows = []
        for row, place in events:
            self.places[row.sequence] = place
            if row.event_type != REFUSED:
                self.replica = self.replica.observed(place.stamp)
            rows.append(row)
        self.rows += rows
        return tuple(rows)

    def expect(self, expected_sequence: int | None) -> None:
        """Compare the head with what the caller saw.

        Raises:
            ConcurrencyError: The space has moved, or is not as far.
        """
        if expected_sequence is not None and expected_sequence != self.head:
            raise ConcurrencyError(self.space_name, expected_sequence, self.head)

    def _new_rows(
        self, domain: Domain | None, new_events: Sequence[NewEvent], causes: Causes, now: int
    ) -> list[EventRow]:
        stamp = max(self.timestamp, now)  # a clock that goes back must not show
        first = self.guard.last_sequence + len(self.rows) + 1
        return [
            encode_event(domain, new, causes, sequence, stamp)
            for sequence, new in enumerate(new_events, first)
        ]

    def _fold(self, domain: Domain, rows: Sequence[EventRow]) -> None:
        if rows:
            self.timestamp = rows[-1].micros
            state = WriteState(self.state, domain.schema)
            numbered = rows if self.replica is None else self._stamped(rows)
            events: Iterable[Event] = map(as_applied, numbered)
            if domain.has_versions:
                events = domain.upcast(events, self.space_name)
            apply_command(domain, state, self.state, events)

    def _stamped(self, rows: Sequence[EventRow]) -> Iterable[EventRow]:
        """Number events by their stamps, as applicators of a replicated space see them."""
        return [row._replace(sequence=self.places[row.sequence].stamp) for row in rows]

    @property
    def values(self) -> dict[str, Packed | None]:
        """What is known of keys once this unit is written."""
        return {**self.state.known, **self.state.written}

    def write(self) -> SpaceWrite | None:
        """Return what is to be written, or None if nothing is."""
        written = self.state.written
        if not (self.rows or written or self.touched):
            return None
        puts, deletes = self.state.changes()
        return SpaceWrite(
            self.space_id,
            self.guard,
            self.rows,
            puts,
            deletes,
            self.timestamp,
            self.folded if self.folded != self.guard.checkpoint else None,
            domains=self.domains if self.domains != self.guard.domains else None,
            links=self.state.links,
            index_lost=self.state.index != self.guard.indexed,
            in_step=self.in_step,
            projected=self.projected,
            positions=self.positions,
            places=self.places,
            replica=None if self.replica is None else self.replica.pack(),
        )


def checked_events(result: object, source: object) -> Sequence[NewEvent]:
    """Return what a command gave, or a caller, if it is new events and nothing else.

    Raises:
        MisuseError: It is something else; the message names ``source``.
    """
    if type(result) is list:
        for event in result:
            if type(event) is not NewEvent:
                break
        else:
            return result
    name = getattr(source, "__qualname__", source)
    if inspect.iscoroutine(result):
        result.close()
        raise MisuseError(f"{name} is async; commands are plain functions without I/O")
    if isinstance(result, (str, bytes, Mapping)) or not isinstance(result, Iterable):
        raise MisuseError(
            f"{name} must give a list of NewEvent, got {type(result).__name__}: {result!r:.80}"
        )
    events = list(result)
    for event in events:
        if not isinstance(event, NewEvent):
            raise MisuseError(
                f"{name} must give NewEvent items, got {type(event).__name__}: {event!r:.80}"
            )
    return events


def encode_event(
    domain: Domain | None, new: NewEvent, causes: Causes, sequence: int, micros: int
) -> EventRow:
    """Check one new event against every rule and pack it.

    Raises:
        DataError: A field breaks a rule; the message names it. CodecError for its payload.
    """
    event_type = new.event_type
    places = _places(event_type) if type(event_type) is str else _Places(event_type)
    if places.own and (domain is None or not domain.own):
        raise DataError("event type", event_type, _NOT_YOURS)
    payload = encode_payload(new.payload, places.payload)
    check_payload_size(payload, places.payload)
    entity_id = new.entity_id
    if entity_id is None and domain is not None:
        entity_id = domain.entity_of(event_type, new.payload)
    if entity_id is None:
        raise DataError(
            "event",
            event_type,
            "has no entity id; give NewEvent(entity_id=…) or Domain(entity_id=…)",
        )
    check_entity_id(entity_id, places.entity_id)
    causation_id = causes.causation_id if new.causation_id is None else new.causation_id
    correlation_id = causes.correlation_id if new.correlation_id is None else new.correlation_id
    if causation_id is not None or correlation_id is not None:
        check_optional_id(causation_id, correlation_id)
    metadata = None
    if new.metadata is not None:
        metadata = encode_payload(new.metadata, places.metadata)
        check_payload_size(metadata, places.metadata)
    version = new.version
    if version is not None or (domain is not None and domain.has_versions):
        version = _written_version(domain, event_type, version)
    tags = None
    if new.tags is not _NO_TAGS:  # the default, which is one object
        tags = pack_tags(checked_tags(new.tags, places.tags))
    return _row(
        (
            sequence,
            entity_id,
            event_type,
            payload,
            micros,
            causation_id,
            correlation_id,
            metadata,
            1 if version is None else version,
            tags,
        )
    )


def _written_version(domain: Domain | None, event_type: str, version: int | None) -> int:
    if domain is not None:
        return domain.written_version(event_type, version)
    check_version(version, f"version of {event_type}")
    return version or 1


_NOT_YOURS = "types that begin with 'ramax.' are those of ramax's data types; use store.kv, …"
_NO_TAGS: Final = NewEvent("").tags


class _Places:
    """What the parts of an event of one type are called in errors; made once for each type."""

    __slots__ = ("entity_id", "metadata", "own", "payload", "tags")

    def __init__(self, event_type: str) -> None:
        check_name(event_type, "event type")
        self.own = event_type.startswith(OWN_TYPES)
        self.payload = f"payload of {event_type}"
        self.entity_id = f"entity id of {event_type}"
        self.metadata = f"metadata of {event_type}"
        self.tags = f"tags of {event_type}"


_places = lru_cache(maxsize=4096)(_Places)


def as_applied(row: EventRow) -> Event:
    """Make the event that an applicator sees; its values are its own."""
    (
        sequence,
        entity_id,
        event_type,
        payload,
        micros,
        causation_id,
        correlation_id,
        metadata,
        version,
        tags,
    ) = row
    event = applied_event(
        sequence,
        entity_id,
        event_type,
        decode(payload),
        micros,
        causation_id,
        correlation_id,
        None if metadata is None else decode(metadata),
    )
    if version == 1 and tags is None:
        return event
    return marked(event, version, unpack_tags(tags))


def as_commit(
    space_id: int,
    rows: Sequence[EventRow],
    event_ids: Mapping[int, int],
    head: int,
    *,
    replayed: bool = False,
) -> Commit:
    """Make the answer to a command; ``event_ids`` maps sequences to the ids that were given."""
    events = partial(_as_events, space_id, rows, event_ids) if rows else ()
    return Commit(events, head, replayed)


def _as_events(
    space_id: int, rows: Sequence[EventRow], event_ids: Mapping[int, int]
) -> tuple[Event, ...]:
    return tuple([_as_recorded(space_id, row, event_ids[row.sequence]) for row in rows])


def _as_recorded(space_id: int, row: EventRow, event_id: int) -> Event:
    event = recorded_event(
        event_id,
        space_id,
        row.sequence,
        row.entity_id,
        row.event_type,
        decode(row.payload),
        row.micros,
        row.causation_id,
        row.correlation_id,
        None if row.metadata is None else decode(row.metadata),
    )
    if row.version == 1 and row.tags is None:
        return event
    return marked(event, row.version, unpack_tags(row.tags))
