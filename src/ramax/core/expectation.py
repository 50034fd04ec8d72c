"""What a caller expects of a space before something is added to it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, get_args

from ramax.core.domain import Domain
from ramax.core.limits import check_entity_id, check_sequence
from ramax.core.query import Query
from ramax.core.tags import unpack_tags
from ramax.core.unit import SpaceUnit
from ramax.errors import ConcurrencyError, DataError, MisuseError
from ramax.values import NewEvent

Presence = Literal["none", "exists"]
ExpectedVersion = int | Presence
"""How many events an entity has; ``"none"``: not any; ``"exists"``: at least one."""

ExpectedVersions = ExpectedVersion | Mapping[str, ExpectedVersion]


class Log(Protocol):
    """What is stored of a space, as of the guard of a unit of work."""

    def types_up_to(self, upto: int) -> frozenset[str]:
        """Return which event types there are, up to and including a sequence."""
        ...

    def count_of(self, entity_id: str, upto: int, most: int) -> int:
        """Count the events of an entity up to a sequence; no further than ``most``."""
        ...

    def standing_at(self, sequence: int) -> frozenset[str]:
        """Return the names of the checkpoints that are at a sequence."""
        ...

    def newest_match(self, query: Query, after: int, upto: int) -> int | None:
        """Return the sequence of the newest event with after < sequence <= upto, or None."""
        ...


@dataclass(frozen=True, slots=True)
class Expectation:
    """Versions of entities, and a query that matches nothing after a sequence."""

    versions: Mapping[str, ExpectedVersion]
    no_match: Query | None = None
    after: int = 0

    def check(self, unit: SpaceUnit, log: Log) -> None:
        """Compare with what is stored, and with what the batch adds before this.

        Raises:
            ConcurrencyError: Something is not as expected.
            DataError: ``after`` lies beyond the newest event, so that nothing could match.
        """
        for entity_id, expected in self.versions.items():
            _check_version(unit, log, entity_id, expected)
        if self.no_match is not None:
            if self.after > unit.head:  # an event id perhaps, which would let everything pass
                raise DataError("after", self.after, f"lies beyond the newest event, {unit.head}")
            found = _newest_match(unit, log, self.no_match, self.after)
            if found is not None:
                raise ConcurrencyError(unit.space_name, self.after, found, query=self.no_match)


def check_head(unit: SpaceUnit, expected_sequence: int) -> None:
    """Compare the head of a unit, its own events included, with what the caller saw.

    Raises:
        ConcurrencyError: The space has moved, or is not as far.
    """
    if expected_sequence != unit.head:
        raise ConcurrencyError(unit.space_name, expected_sequence, unit.head)


def _check_version(unit: SpaceUnit, log: Log, entity_id: str, expected: ExpectedVersion) -> None:
    upto = unit.guard.last_sequence
    added = sum(row.entity_id == entity_id for row in unit.rows)
    enough = expected + 1 if isinstance(expected, int) else 1
    actual = log.count_of(entity_id, upto, enough) + added
    wanted = 0 if expected == "none" else expected
    if actual != wanted and (expected != "exists" or actual == 0):
        actual = log.count_of(entity_id, upto, upto) + added
        raise ConcurrencyError(unit.space_name, expected, actual, entity_id=entity_id)


def _newest_match(unit: SpaceUnit, log: Log, query: Query, after: int) -> int | None:
    for row in reversed(unit.rows):
        if row.sequence <= after:
            break
        if query.matches(row.event_type, row.entity_id, unpack_tags(row.tags)):
            return row.sequence
    return log.newest_match(query, after, unit.guard.last_sequence)


def expect_versions(expected: Any) -> Expectation | None:
    """Check what a command expects, by entity; None where nothing is.

    Raises:
        MisuseError: It is not by entity: which ones a command is about, only it knows.
        DataError: An entity id or a version breaks a rule.
    """
    if expected is None:
        return None
    if not isinstance(expected, Mapping):
        raise MisuseError(
            f"a command may be about any entity, so say which: expected_version="
            f"{{entity_id: {expected!r}}}"
        )
    return _checked(expected)


def expect_versions_of(
    new_events: Sequence[NewEvent], domain: Domain | None, expected: Any
) -> Expectation | None:
    """Check what an append expects: one version of its one entity, or versions by entity.

    Raises:
        MisuseError: One version is given, and the events are about several entities.
        DataError: An entity id or a version breaks a rule.
    """
    if expected is None or isinstance(expected, Mapping):
        return expect_versions(expected)
    entities = set(_entities(new_events, domain))
    if len(entities) != 1:
        raise MisuseError(
            f"one expected_version for events of {len(entities)} entities; say which: "
            f"expected_version={{entity_id: {expected!r}}}"
        )
    return _checked({entities.pop(): expected})


def _entities(new_events: Iterable[NewEvent], domain: Domain | None) -> Iterable[str]:
    for new in new_events:
        entity_id = new.entity_id
        if entity_id is None and domain is not None:
            entity_id = domain.entity_of(new.event_type, new.payload)
        yield entity_id or ""  # which the append itself will refuse


def _checked(expected: Mapping[str, ExpectedVersion]) -> Expectation:
    for entity_id, version in expected.items():
        check_entity_id(entity_id, "entity id")
        if isinstance(version, str):
            if version not in get_args(Presence):
                rule = 'must be a number of events, "none" or "exists"'
                raise DataError("expected_version", version, rule)
        else:
            check_sequence(version, "expected_version")
    return Expectation(dict(expected))


def expect_no_match(no_match: Any, after: Any) -> Expectation:
    """Check a consistency boundary.

    Raises:
        MisuseError: It is no query.
        DataError: ``after`` is no sequence.
    """
    if not isinstance(no_match, Query):
        raise MisuseError(f"no_match must be a Query, got {type(no_match).__name__}")
    check_sequence(after, "after")
    return Expectation({}, no_match, after)
