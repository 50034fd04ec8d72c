"""The frozen nouns that ramax hands out: spaces, events, commits, references."""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Annotated, Any, NoReturn, Self

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def from_micros(micros: int) -> datetime:
    """Turn UTC microseconds since 1970 into an aware datetime, exactly."""
    return EPOCH + timedelta(microseconds=micros)


def to_micros(moment: datetime) -> int:
    """Turn an aware datetime into UTC microseconds since 1970, exactly."""
    return (moment - EPOCH) // _MICROSECOND


@dataclass(frozen=True, slots=True)
class Space:
    """An isolated namespace: its own sequence, events, pstate and checkpoints.

    ``space_id`` is 0 for the `default` space that nobody has written to yet. ``branch_id`` is 1
    on `main`.
    """

    space_id: int
    space_name: str
    created_at: datetime
    metadata: Mapping[str, Any] = field(default_factory=dict, hash=False)
    branch_id: int = 1

    def __post_init__(self) -> None:
        object.__setattr__(self, "metadata", MappingProxyType(dict(self.metadata)))

    def __reduce__(self) -> tuple[Any, ...]:
        fields = (self.space_id, self.space_name, self.created_at, dict(self.metadata))
        return Space, (*fields, self.branch_id)


MAIN_BRANCH = 1
"""The id of `main`, the branch that is always there."""


@dataclass(frozen=True, slots=True)
class Branch:
    """A set of spaces of its own; ``parent`` names the branch that it was forked from, if any.

    ``created_at`` of `main`, which nobody made, is 1970.
    """

    branch_id: int
    name: str
    parent: str | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class SpaceStats:
    """What a space holds: events, pstate keys, checkpoints (name to sequence), stored bytes."""

    space: Space
    event_count: int
    key_count: int
    checkpoints: Mapping[str, int] = field(hash=False)
    last_event_at: datetime | None
    bytes: int


_EMPTY: Mapping[str, Any] = MappingProxyType({})


class _NewEventDraft:
    """A `NewEvent` while it is being made: the same slots, and nothing that refuses (ADR-0009)."""

    __slots__ = (
        "causation_id",
        "correlation_id",
        "entity_id",
        "event_type",
        "metadata",
        "payload",
        "tags",
        "version",
    )

    event_type: str
    payload: Mapping[str, Any]
    entity_id: str | None
    causation_id: int | None
    correlation_id: str | None
    metadata: Mapping[str, Any] | None
    tags: Collection[str]
    version: int | None


@dataclass(frozen=True, slots=True, init=False)
class NewEvent:
    """A fact that is not recorded yet: what commands return.

    Without ``entity_id`` the domain's extractor names the entity from the payload. ``tags`` are
    what a `Query` finds events by. ``version`` is the shape of the payload; None is the current
    one of the domain, 1 without upcasters.
    """

    event_type: str
    payload: Mapping[str, Any] = field(default_factory=dict, hash=False)
    entity_id: str | None = field(default=None, kw_only=True)
    causation_id: int | None = field(default=None, kw_only=True)
    correlation_id: str | None = field(default=None, kw_only=True)
    metadata: Mapping[str, Any] | None = field(default=None, kw_only=True, hash=False)
    tags: Collection[str] = field(default=(), kw_only=True, hash=False)
    version: int | None = field(default=None, kw_only=True)

    def __init__(
        self,
        event_type: str,
        payload: Mapping[str, Any] = _EMPTY,
        *,
        entity_id: str | None = None,
        causation_id: int | None = None,
        correlation_id: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        tags: Collection[str] = (),
        version: int | None = None,
    ) -> None:
        draft: Any = self
        if type(self) is NewEvent:  # a subclass may have another layout
            object.__setattr__(self, "__class__", _NewEventDraft)
        else:
            draft = _NewEventDraft()
        draft.event_type = event_type
        draft.payload = {} if payload is _EMPTY else payload
        draft.entity_id = entity_id
        draft.causation_id = causation_id
        draft.correlation_id = correlation_id
        draft.metadata = metadata
        draft.tags = tags
        draft.version = version
        if draft is self:
            draft.__class__ = NewEvent
        else:
            for name in _NewEventDraft.__slots__:
                object.__setattr__(self, name, getattr(draft, name))

    def __repr__(self) -> str:
        given = {each.name: getattr(self, each.name) for each in fields(self)}
        shown = [f"{name}={value!r}" for name, value in given.items() if value not in (None, ())]
        return f"NewEvent({', '.join(shown)})"


class EventDraft:
    """An event while it is being made; filled, its class becomes `Event` (ADR-0009)."""

    __slots__ = (
        "causation_id",
        "correlation_id",
        "entity_id",
        "event_id",
        "event_type",
        "late",
        "metadata",
        "micros",
        "part",
        "payload",
        "space_id",
        "space_sequence",
        "tags",
        "version",
    )

    event_id: int
    space_id: int
    space_sequence: int
    entity_id: str
    event_type: str
    payload: dict[str, Any]
    micros: int  # UTC µs; a datetime is made when `timestamp` is read, not for each of 1M events
    causation_id: int | None
    correlation_id: str | None
    metadata: dict[str, Any] | None
    tags: tuple[str, ...]  # this and what follows are set only where they are not `_USUAL`
    version: int
    part: int
    late: bool  # of a delivery, not of the fact: two events that differ in it are equal


_FIELDS = (
    "event_id",
    "space_id",
    "space_sequence",
    "entity_id",
    "event_type",
    "payload",
    "timestamp",
    "causation_id",
    "correlation_id",
    "metadata",
    "tags",
    "version",
    "part",
)
_USUAL: Mapping[str, Any] = {"tags": (), "version": 1, "part": 0, "late": False}


class Event(EventDraft):
    """A recorded fact; immutable.

    ``space_sequence`` is 1, 2, 3 … in its space; ``event_id`` is unique over all spaces;
    ``timestamp`` is aware UTC with microseconds. The event that an applicator sees has neither
    ``event_id`` nor ``space_id``: they are not known yet when it is applied for the first time.
    ``tags`` are sorted, each once. ``version`` is the shape of the payload. What upcasters made of
    one stored event shares its ids, sequence and timestamp; ``part`` counts them from 0.

    ``late`` is True where a subscription, or a reaction, is given an event of another replica that
    came after others which follow it in the order of all replicas.
    """

    __slots__ = ()

    def __init__(  # noqa: PLR0913, PLR0917 - what an event has
        self,
        event_id: int,
        space_id: int,
        space_sequence: int,
        entity_id: str,
        event_type: str,
        payload: Mapping[str, Any],
        timestamp: datetime,
        causation_id: int | None = None,
        correlation_id: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        tags: Iterable[str] = (),
        version: int = 1,
        part: int = 0,
        late: bool = False,  # noqa: FBT001, FBT002 - a field, in its place
    ) -> None:
        put = object.__setattr__
        put(self, "event_id", event_id)
        put(self, "space_id", space_id)
        put(self, "space_sequence", space_sequence)
        put(self, "entity_id", entity_id)
        put(self, "event_type", event_type)
        put(self, "payload", dict(payload))
        put(self, "micros", to_micros(timestamp))
        put(self, "causation_id", causation_id)
        put(self, "correlation_id", correlation_id)
        put(self, "metadata", None if metadata is None else dict(metadata))
        put(self, "tags", tuple(sorted(set(tags))))
        put(self, "version", version)
        put(self, "part", part)
        put(self, "late", late)

    @property
    def timestamp(self) -> datetime:
        """When it was recorded: aware UTC, microseconds; never falls within a space."""
        return from_micros(self.micros)

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"an event is immutable, cannot set {name}")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"an event is immutable, cannot delete {name}")

    def __getattr__(self, name: str) -> Any:
        # Called only for what is not set: what is usual, an unknown name, an id in an applicator.
        if name in _USUAL:
            return _USUAL[name]
        if name in {"event_id", "space_id"}:
            raise AttributeError(
                f"{name} is not known while an event is applied; its identity is space_sequence"
            )
        raise AttributeError(f"an event has no attribute {name!r}")

    def _values(self) -> tuple[Any, ...]:
        return tuple(getattr(self, name, None) for name in _FIELDS)

    def __eq__(self, other: object) -> bool:
        return self._values() == other._values() if isinstance(other, Event) else NotImplemented

    def __hash__(self) -> int:
        return hash((getattr(self, "space_id", None), self.space_sequence, self.event_type))

    def __repr__(self) -> str:
        given = {name: getattr(self, name) for name in _FIELDS if hasattr(self, name)}
        shown = [f"{n}={v!r}" for n, v in given.items() if n not in _USUAL or v != _USUAL[n]]
        return f"Event({', '.join(shown)})"

    def __copy__(self) -> Self:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return Event, (*self._values(), self.late)


def recorded_event(  # noqa: PLR0913, PLR0917 - what an event has
    event_id: int,
    space_id: int,
    space_sequence: int,
    entity_id: str,
    event_type: str,
    payload: dict[str, Any],
    micros: int,
    causation_id: int | None,
    correlation_id: str | None,
    metadata: dict[str, Any] | None,
) -> Event:
    """Make an event from values that nobody else holds; the fast way, for whole pages."""
    event = EventDraft()
    event.event_id = event_id
    event.space_id = space_id
    event.space_sequence = space_sequence
    event.entity_id = entity_id
    event.event_type = event_type
    event.payload = payload
    event.micros = micros
    event.causation_id = causation_id
    event.correlation_id = correlation_id
    event.metadata = metadata
    event.__class__ = Event
    return event  # type: ignore[return-value]


def applied_event(  # noqa: PLR0917 - what an event has
    space_sequence: int,
    entity_id: str,
    event_type: str,
    payload: dict[str, Any],
    micros: int,
    causation_id: int | None,
    correlation_id: str | None,
    metadata: dict[str, Any] | None,
) -> Event:
    """Make the event that an applicator sees: without ``event_id`` and ``space_id``."""
    event = EventDraft()
    event.space_sequence = space_sequence
    event.entity_id = entity_id
    event.event_type = event_type
    event.payload = payload
    event.micros = micros
    event.causation_id = causation_id
    event.correlation_id = correlation_id
    event.metadata = metadata
    event.__class__ = Event
    return event  # type: ignore[return-value]


def as_applied(event: Event) -> Event:
    """Make what an applicator sees of a recorded event."""
    found = applied_event(
        event.space_sequence,
        event.entity_id,
        event.event_type,
        event.payload,
        event.micros,
        event.causation_id,
        event.correlation_id,
        event.metadata,
    )
    if event.part:
        object.__setattr__(found, "part", event.part)
    return marked(found, event.version, event.tags)


def as_late(event: Event) -> Event:
    """Say of an event that nobody else holds that it came late, and return it."""
    object.__setattr__(event, "late", True)
    return event


def marked(event: Event, version: int, tags: tuple[str, ...]) -> Event:
    """Give an event that nobody else holds its version and tags, and return it."""
    object.__setattr__(event, "version", version)
    object.__setattr__(event, "tags", tags)
    return event


class Commit:
    """What one command added; immutable.

    ``space_sequence`` is the newest sequence of the space right after it; ``replayed`` says that
    an idempotency key was known and this is the first answer again. ``events`` may be given as a
    function: it is called when somebody first asks for them (ADR-0027).
    """

    __slots__ = ("_events", "replayed", "space_sequence")

    _events: "tuple[Event, ...] | Callable[[], tuple[Event, ...]]"
    space_sequence: int
    replayed: bool

    def __init__(
        self,
        events: "tuple[Event, ...] | Callable[[], tuple[Event, ...]]",
        space_sequence: int,
        replayed: bool = False,  # noqa: FBT001, FBT002 - a field, in its place
    ) -> None:
        put = object.__setattr__
        put(self, "_events", events)
        put(self, "space_sequence", space_sequence)
        put(self, "replayed", replayed)

    @property
    def events(self) -> tuple[Event, ...]:
        """The events that were recorded, in order."""
        events = self._events
        if not isinstance(events, tuple):
            events = events()
            object.__setattr__(self, "_events", events)
        return events

    @property
    def event_ids(self) -> tuple[int, ...]:
        """The ids of ``events``, same order."""
        return tuple(event.event_id for event in self.events)

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"a commit is immutable, cannot set {name}")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"a commit is immutable, cannot delete {name}")

    def _values(self) -> tuple[Any, ...]:
        return self.events, self.space_sequence, self.replayed

    def __eq__(self, other: object) -> bool:
        return self._values() == other._values() if isinstance(other, Commit) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._values())

    def __repr__(self) -> str:
        return (
            f"Commit(events={self.events!r}, space_sequence={self.space_sequence}, "
            f"replayed={self.replayed})"
        )

    def __reduce__(self) -> tuple[Any, ...]:
        return Commit, self._values()


@dataclass(frozen=True, slots=True)
class SnapshotInfo:
    """A stored copy of a read model as of a sequence, and the fold versions that made it."""

    space_sequence: int
    domains: Mapping[str, int] = field(hash=False)
    key_count: int
    created_at: datetime


@dataclass(frozen=True, slots=True)
class SearchHit:
    """Something whose text was searched for; ``score`` compares within one answer only.

    ``type`` is ``kv``, ``json``, ``log`` (then ``key`` is the sequence as text), ``pstate``, or
    ``vectors`` for what only a vector found.
    """

    space: str
    type: str
    key: str
    snippet: str
    score: float


@dataclass(frozen=True, slots=True)
class ChainHead:
    """The newest link of a space's hash chain: the SHA-256 of all its events up to a sequence.

    Kept elsewhere, it proves later that nothing up to there was changed: `ContentStore.verify`.
    """

    space_sequence: int
    hash: bytes

    def __str__(self) -> str:
        return f"{self.space_sequence}:{self.hash.hex()}"


@dataclass(frozen=True, slots=True)
class Ref:
    """A pointer to a pstate key: ``Ref("card:c1")`` or ``Ref("card", "c1")``."""

    key: str

    def __init__(self, key: str, entity: str | None = None) -> None:
        object.__setattr__(self, "key", key if entity is None else f"{key}:{entity}")

    def __class_getitem__(cls, entity: str) -> Any:
        """Return the annotation of a reference to such an entity: ``Ref["card"]``.

        It is ``Annotated[Ref, "card"]``, which type checkers like better.
        """
        return Annotated[cls, entity]


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a long job has come: events folded so far, of how many, after how many seconds."""

    done: int
    total: int
    seconds: float


@dataclass(frozen=True, slots=True)
class SubscriptionStatus:
    """How a subscription stands; ``space`` is None for one over all spaces.

    ``position`` is how far it is: a sequence, or over all spaces an event id; ``head`` where its
    log ends. ``owner`` reads it now. ``stopped_at`` is the event at which it was paused.

    Of the event behind ``position`` so many parts are done: 0, unless upcasters split it.
    ``stopped_part`` is the part of the event at which it was paused, where others follow that.
    """

    name: str
    space: Space | None
    partition: int
    partitions: int
    position: int
    head: int
    owner: str | None
    paused_at: datetime | None
    stopped_at: int | None
    reason: str | None
    parked: int
    parts_done: int = 0
    stopped_part: int | None = None

    @property
    def lag(self) -> int:
        """Events that are left to read; over all spaces event ids, which may have gaps."""
        return max(0, self.head - self.position)


@dataclass(frozen=True, slots=True)
class ParkedEvent:
    """An event that a subscription has put aside.

    ``state`` is `failed`, `waiting` behind an earlier one of its entity, or `retry`. ``part`` is
    that of `Event`; None of an event that was parked as a whole, by an older ramax.
    """

    space_id: int
    space_sequence: int
    entity_id: str
    state: str
    attempts: int
    error: str | None
    parked_at: datetime
    part: int | None = 0
