"""What a merge is decided with: recorded events, conflicts, verdicts; and how conflicts end."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, Protocol

from ramax.core.datatypes.json_value import MISSING
from ramax.core.merging.contents import LAST_WINS, making
from ramax.core.merging.knowledge import Origin
from ramax.core.merging.things import Thing
from ramax.core.new_events import checked_events
from ramax.errors import DataError, MergeConflictError, MisuseError
from ramax.values import Event, NewEvent


class Recorded(NamedTuple):
    """An event of the source, where it is from, and whether the target holds it already."""

    event: Event
    origin: Origin
    known: bool = False


class Sides(Protocol):
    """Both histories of one space, as far as a decision asks for them."""

    @property
    def space(self) -> str:
        """The name of the space."""
        ...

    @property
    def source(self) -> Sequence[Recorded]:
        """What the source has since the target last heard of it, in order."""
        ...

    @property
    def touched(self) -> Mapping[Thing, frozenset[int]]:
        """What the target changed that the source does not hold: sequences by thing."""
        ...

    def source_history(self, entity_id: str, *, inside: bool = False) -> Sequence[Event]:
        """All events of the source about an entity; ``inside`` also ``<entity_id>/…``."""
        ...

    def target_history(self, entity_id: str, *, inside: bool = False) -> Sequence[Event]:
        """The same of the target."""
        ...


@dataclass(frozen=True, slots=True)
class MergeConflict:
    """Something of a space that both sides changed since they last agreed.

    ``type`` is ``entity``, or the data type; ``name`` the entity id, key, cell, document or
    collection, with ``part`` the key of a vector. ``paths`` are JSON Pointers at which two
    changes of a document meet. The events are those that the other side does not have.
    """

    space: str
    type: str
    name: str
    part: str | None = None
    paths: tuple[str, ...] = ()
    source_events: tuple[Event, ...] = field(default=(), hash=False, repr=False)
    target_events: tuple[Event, ...] = field(default=(), hash=False, repr=False)

    def with_value(self, value: Any) -> list[NewEvent]:
        """Return the events that make this the value of a key, cell or document.

        Raises:
            MisuseError: It is something else.
        """
        if self.type not in {*LAST_WINS, "json"}:
            raise MisuseError(f"{self} has no one value; return events of your own")
        return making(Thing(self.type, self.name), value, MISSING)

    def __str__(self) -> str:
        name = self.name if self.part is None else f"{self.name}/{self.part}"
        at = f" at {', '.join(self.paths)}" if self.paths else ""
        return f"{self.type} {name!r} of space {self.space!r}{at}"


class Outcome(NamedTuple):
    """What goes over of a thing: copies of these events, then these new ones."""

    copies: Sequence[Recorded] = ()
    then: Sequence[NewEvent] = ()


@dataclass(slots=True)
class Verdict:
    """What was decided of one thing; with a ``conflict`` the outcome is that of `theirs`."""

    thing: Thing
    events: Sequence[Recorded]
    outcome: Outcome
    conflict: MergeConflict | None = None


OnConflict = Literal["fail", "ours", "theirs"] | Callable[[MergeConflict], Any]
POLICIES = ("fail", "ours", "theirs")


@dataclass(slots=True)
class Resolution:
    """What goes over into one space, in order.

    ``new`` are events that nobody recorded yet; each comes with the event that it stands for, or
    None where a resolver made it up. ``kept`` is what stays as the target has it, ``taken`` what
    becomes as the source has it. ``settling`` are the origins of what is taken in place of
    something that the target had changed.
    """

    copies: list[Recorded] = field(default_factory=list)
    new: list[tuple[NewEvent, Recorded | None]] = field(default_factory=list)
    settling: set[Origin] = field(default_factory=set)
    kept: list[MergeConflict] = field(default_factory=list)
    taken: list[MergeConflict] = field(default_factory=list)


def check_policy(on_conflict: object) -> None:
    """Refuse what says nothing about conflicts."""
    if not callable(on_conflict) and on_conflict not in POLICIES:
        raise DataError("on_conflict", on_conflict, f"give one of {POLICIES} or a function")


def resolve(verdicts: Iterable[Verdict], on_conflict: OnConflict) -> Resolution:
    """Say what goes over, with conflicts ended as asked.

    Raises:
        MergeConflictError: There are conflicts, and they are to fail.
        MisuseError: A resolver gave something else than "ours", "theirs" or new events.
    """
    verdicts = list(verdicts)
    conflicts = [each.conflict for each in verdicts if each.conflict is not None]
    if conflicts and on_conflict == "fail":
        raise MergeConflictError(conflicts)
    found = Resolution()
    for verdict in verdicts:
        answer = "theirs" if verdict.conflict is None else _answer(verdict.conflict, on_conflict)
        _take(found, verdict, answer)
    found.copies.sort(key=lambda each: each.event.space_sequence)
    return found


def _answer(conflict: MergeConflict, on_conflict: OnConflict) -> Any:
    return on_conflict(conflict) if callable(on_conflict) else on_conflict


def _take(found: Resolution, verdict: Verdict, answer: Any) -> None:
    conflict = verdict.conflict
    if answer == "ours" and conflict is not None:
        found.kept.append(conflict)
    elif answer == "theirs":
        found.copies += verdict.outcome.copies
        found.new += [(new, verdict.events[-1]) for new in verdict.outcome.then]
        if conflict is not None:
            found.taken.append(conflict)
            found.settling.update(each.origin for each in verdict.events)
    elif conflict is not None:
        found.new += [(new, None) for new in checked_events(answer, "on_conflict")]
        found.kept.append(conflict)
