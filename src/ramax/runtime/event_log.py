"""The log as users see it: ``db.events`` over all spaces, ``store.events`` over one."""

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from ramax.core.domain import Domain
from ramax.core.expectation import ExpectedVersion, ExpectedVersions, expect_no_match
from ramax.core.query import Query
from ramax.runtime import commands
from ramax.runtime.core import SpaceLike
from ramax.runtime.event_reads import EventReads
from ramax.values import Event, NewEvent


class EventLog(EventReads):
    """Appends to and reads from the logs of spaces, given as `Space`, name or id."""

    async def append(  # noqa: PLR0913 - what an event has
        self,
        space: SpaceLike,
        entity_id: str,
        event_type: str,
        payload: Mapping[str, Any],
        *,
        metadata: Mapping[str, Any] | None = None,
        tags: Collection[str] = (),
        version: int | None = None,
        causation_id: int | None = None,
        correlation_id: str | None = None,
        expected_sequence: int | None = None,
        expected_version: ExpectedVersion | None = None,
        idempotency_key: str | None = None,
    ) -> Event:
        """Record one fact; the pstate of the space stays behind until somebody folds it.

        Args:
            expected_version: How many events the entity has; or ``"none"``, or ``"exists"``.

        Raises:
            SpaceNotFoundError: There is no such space.
            ConcurrencyError: The space is not at ``expected_sequence``, or the entity not at
                ``expected_version``.
            DataError: A value breaks a rule; nothing was written.
        """
        new = NewEvent(
            event_type,
            payload,
            entity_id=entity_id,
            metadata=metadata,
            tags=tags,
            version=version,
        )
        recorded = await self.append_many(
            space,
            [new],
            causation_id=causation_id,
            correlation_id=correlation_id,
            expected_sequence=expected_sequence,
            expected_version=expected_version,
            idempotency_key=idempotency_key,
        )
        return recorded[0]

    async def append_many(
        self,
        space: SpaceLike,
        new_events: Iterable[NewEvent],
        *,
        causation_id: int | None = None,
        correlation_id: str | None = None,
        expected_sequence: int | None = None,
        expected_version: ExpectedVersions | None = None,
        idempotency_key: str | None = None,
        domain: Domain | None = None,
    ) -> list[Event]:
        """Record facts in order, all or none; see `append`.

        Args:
            expected_version: Of the one entity that the facts are about; of several, by entity id.
        """
        commit = await commands.append(
            self._core,
            space,
            domain or self._domain,
            new_events,
            causation_id=causation_id,
            correlation_id=correlation_id,
            expected_sequence=expected_sequence,
            expected_version=expected_version,
            idempotency_key=idempotency_key,
        )
        return list(commit.events)

    async def append_if(
        self,
        space: SpaceLike,
        new_events: Iterable[NewEvent],
        *,
        no_match: Query,
        after: int = 0,
        causation_id: int | None = None,
        correlation_id: str | None = None,
        idempotency_key: str | None = None,
        domain: Domain | None = None,
    ) -> list[Event]:
        """Record facts in order, unless an event after ``after`` matches the query.

        The query is the boundary of the decision: read what it asks for, decide, and append with
        the newest sequence of the space at the time of reading. What others add meanwhile counts
        only where it matches.

        Raises:
            ConcurrencyError: Something matches; ``actual`` is the newest such sequence.
            SpaceNotFoundError: There is no such space.
            DataError: A value breaks a rule; nothing was written.
        """
        commit = await commands.append(
            self._core,
            space,
            domain or self._domain,
            new_events,
            boundary=expect_no_match(no_match, after),
            causation_id=causation_id,
            correlation_id=correlation_id,
            idempotency_key=idempotency_key,
        )
        return list(commit.events)
