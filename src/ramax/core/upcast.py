"""Upcasters: pure functions that bring an event of an older version to today's shape."""

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from ramax.core.codec import decode, encode_payload
from ramax.core.limits import MAX_VERSION, check_entity_id, check_name, check_version
from ramax.core.tags import checked_tags
from ramax.errors import DataError, MisuseError, UpcastError
from ramax.values import Event, NewEvent, applied_event, marked

Upcaster = Callable[[Event], Mapping[str, Any] | NewEvent | Sequence[NewEvent]]
"""Gives the new payload, or the events that come in place of the old one; none drops it."""

MAX_STEPS: Final = 1000
"""Upcasters that may run for one stored event before the chain counts as endless."""

_Step = tuple[str, int]


class Upcasters:
    """The chains of one domain: by type and version, the function that makes the next version."""

    def __init__(self, domain: str, versions: Mapping[str, int]) -> None:
        for event_type, version in versions.items():
            check_name(event_type, "event type")
            check_version(version, f"version of {event_type}")
        self._domain = domain
        self._declared = dict(versions)
        self._current = dict(versions)
        self._steps: dict[_Step, Upcaster] = {}

    def __bool__(self) -> bool:
        return bool(self._current)

    def knows(self, event_type: str) -> bool:
        """Whether the versions of a type are declared, or follow from upcasters."""
        return event_type in self._current

    @property
    def sources(self) -> frozenset[str]:
        """The stored types that come out of a chain as something else."""
        return frozenset(event_type for event_type, _ in self._steps)

    def register(self, event_type: str, version: int, function: Upcaster) -> None:
        """Add one step.

        Raises:
            MisuseError: The step is there already, or is no plain function.
        """
        check_name(event_type, "event type")
        check_version(version, "from_version")
        if not callable(function) or inspect.iscoroutinefunction(function):
            raise MisuseError(f"the upcaster for {event_type!r} must be a plain function")
        if (event_type, version) in self._steps:
            raise MisuseError(
                f"version {version} of {event_type!r} is upcast twice in domain {self._domain!r}"
            )
        self._steps[event_type, version] = function
        if event_type not in self._declared:
            newest = min(version + 1, MAX_VERSION)
            self._current[event_type] = max(newest, self._current.get(event_type, 1))

    def absorb(self, part: "Upcasters") -> None:
        """Take over what a part of a combined domain has."""
        for event_type, version in part._declared.items():  # noqa: SLF001 - of its own class
            if self._declared.setdefault(event_type, version) != version:
                raise MisuseError(
                    f"combined domains say that {event_type!r} is at version {version} and at "
                    f"version {self._declared[event_type]}"
                )
            self._current[event_type] = version
        for (event_type, version), function in part._steps.items():  # noqa: SLF001
            self.register(event_type, version, function)

    def check(self) -> None:
        """Find what is missing in the chains, or leads beyond them.

        Raises:
            MisuseError: A version has no upcaster, or one of the newest version has one.
        """
        for event_type, current in self._current.items():
            steps = {version for name, version in self._steps if name == event_type}
            if beyond := sorted(version for version in steps if version >= current):
                raise MisuseError(
                    f"domain {self._domain!r} has an upcaster for version {beyond[0]} of "
                    f"{event_type!r}, whose newest version is {current}"
                )
            if missing := [version for version in range(1, current) if version not in steps]:
                raise MisuseError(
                    f"domain {self._domain!r} has no upcaster for version {missing[0]} of "
                    f"{event_type!r}; its newest version is {current}, and each one before needs "
                    f"an upcaster: @domain.upcaster({event_type!r}, from_version={missing[0]})"
                )

    def version_of(self, event_type: str) -> int:
        """Return the newest version of a type; 1 where nobody said otherwise."""
        return self._current.get(event_type, 1)

    def upcast(self, event: Event, space_name: str) -> Iterator[Event]:
        """Run an event through its chain; what is up to date comes out as it is.

        Raises:
            UpcastError: An upcaster failed, or gave what cannot be an event; the chain does not
                end; or the event is of a version that is not known here.
        """
        waiting, steps, part = [event], 0, 0
        while waiting:
            old = waiting.pop()
            step = self._steps.get((old.event_type, old.version))
            if step is None:
                self.refuse_unknown_version(old, space_name)
                if part:
                    object.__setattr__(old, "part", part)
                yield old
                part += 1
                continue
            steps += 1
            if steps > MAX_STEPS:
                raise _error(event, space_name, f"its chain does not end in {MAX_STEPS} steps")
            try:
                made = [_event_of(old, new) for new in _made(step, old)]
            except Exception as error:
                raise _error(old, space_name, error) from error
            waiting += reversed(made)

    def refuse_unknown_version(self, event: Event, space_name: str) -> None:
        """Refuse an event that a newer program wrote.

        Raises:
            UpcastError: Its version is above the newest that this domain knows.
        """
        current = self._current.get(event.event_type, 1)
        if event.version > current:
            rule = f"domain {self._domain!r} knows versions up to {current}; deploy the newer code"
            raise _error(event, space_name, rule)


def _error(event: Event, space_name: str, reason: object) -> UpcastError:
    return UpcastError(space_name, event.space_sequence, event.event_type, event.version, reason)


def _made(step: Upcaster, old: Event) -> list[NewEvent]:
    """Run one upcaster on an event that is its own to change, and without ids."""
    seen = applied_event(
        old.space_sequence,
        old.entity_id,
        old.event_type,
        old.payload,
        old.micros,
        old.causation_id,
        old.correlation_id,
        old.metadata,
    )
    result: Any = step(marked(seen, old.version, old.tags))
    if isinstance(result, NewEvent):
        return [result]
    if isinstance(result, Mapping):
        return [NewEvent(old.event_type, result)]
    if isinstance(result, (list, tuple)) and all(isinstance(each, NewEvent) for each in result):
        return list(result)
    raise MisuseError(
        f"the upcaster returned {type(result).__name__}; it must return the new payload, a "
        "NewEvent or a list of NewEvent"
    )


def _event_of(old: Event, new: NewEvent) -> Event:
    """Make the event that comes next; what it does not say is as it was."""
    event_type = new.event_type
    check_name(event_type, "event type")
    version = new.version
    if version is None:
        version = old.version + 1 if event_type == old.event_type else 1
    check_version(version, f"version of {event_type}")
    if event_type == old.event_type and version <= old.version:
        raise DataError(f"version of {event_type}", version, f"must be above {old.version}")
    entity_id = old.entity_id if new.entity_id is None else new.entity_id
    check_entity_id(entity_id, f"entity id of {event_type}")
    made = applied_event(
        old.space_sequence,
        entity_id,
        event_type,
        decode(encode_payload(new.payload, f"payload of {event_type}")),  # nobody else's
        old.micros,
        old.causation_id if new.causation_id is None else new.causation_id,
        old.correlation_id if new.correlation_id is None else new.correlation_id,
        _metadata(old, new),
    )
    tags = tuple(checked_tags(new.tags, f"tags of {event_type}")) or old.tags
    for name in ("event_id", "space_id"):
        if hasattr(old, name):  # an applicator's event has none
            object.__setattr__(made, name, getattr(old, name))
    return marked(made, version, tags)


def _metadata(old: Event, new: NewEvent) -> dict[str, Any] | None:
    found = old.metadata if new.metadata is None else new.metadata
    what = f"metadata of {new.event_type}"
    return None if found is None else decode(encode_payload(found, what))
