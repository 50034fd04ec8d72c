"""One space inside a transaction: its verbs, and its pstate as the transaction sees it."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol, TypeVar

from ramax.core.decoding import Decoding
from ramax.core.domain import Command, Domain
from ramax.core.expectation import (
    ExpectedVersion,
    ExpectedVersions,
    expect_no_match,
    expect_versions,
    expect_versions_of,
)
from ramax.core.limits import check_sequence
from ramax.core.query import Query
from ramax.core.state import Packed
from ramax.core.unit import checked_events
from ramax.errors import MisuseError
from ramax.runtime.commands import NO_DOMAIN, causes
from ramax.runtime.core import SpaceLike
from ramax.runtime.jobs import Append, Execute
from ramax.runtime.state_view import Pages, StateView
from ramax.storage import pstate
from ramax.storage.executors import Executor
from ramax.values import Commit, Event, NewEvent, Space

T = TypeVar("T")


class Steps(Protocol):
    """What a scope needs of its transaction."""

    async def enter(self, target: SpaceLike) -> Space:
        """Return a space of the transaction, locked from here on."""
        ...

    async def run_job(self, space: Space, domain: Domain, work: Execute | Append) -> Commit:
        """Decide and write one step."""
        ...

    async def read(
        self, space: Space, domain: Domain | None, keys: Sequence[str]
    ) -> dict[str, Packed | None]:
        """Read packed values as of now."""
        ...

    async def run(self, work: Callable[[Executor], T]) -> T:
        """Run work on the connection of the transaction."""
        ...


class TransactionPState(StateView):
    """The pstate of one space as the transaction sees it: its own writes included.

    What it writes between two pages of a scan is seen as far as it lies ahead.
    """

    def __init__(self, scope: "TransactionScope") -> None:
        super().__init__(Decoding(scope.domain))
        self._scope = scope

    def _name(self) -> str:
        return self._scope.name

    async def _load(self, keys: Sequence[str]) -> Mapping[str, Packed | None]:
        return await self._scope.read(keys)

    async def _pages(self, prefix: str) -> Pages:
        return partial(self._scope.page, prefix)


@dataclass(frozen=True, slots=True)
class TransactionScope:
    """One space inside a transaction; locked by its first step if it was not named before."""

    _tx: Steps
    _target: SpaceLike
    domain: Domain | None

    @property
    def pstate(self) -> TransactionPState:
        """The read model of the space, with what this transaction wrote."""
        return TransactionPState(self)

    async def execute(
        self,
        command: Command,
        params: Any = None,
        *,
        expected_sequence: int | None = None,
        expected_version: Mapping[str, ExpectedVersion] | None = None,
        causation_id: int | None = None,
        correlation_id: str | None = None,
    ) -> Commit:
        """Run a command; `Rejected`, or what the command raises, leaves the transaction usable."""
        if not callable(command):
            raise MisuseError(f"a command is a function (state, params), got {command!r:.80}")
        if expected_sequence is not None:
            check_sequence(expected_sequence, "expected_sequence")
        inherited = causes(causation_id, correlation_id)
        versions = expect_versions(expected_version)
        work = Execute(self._folder, [(command, params)], inherited, expected_sequence, versions)
        return await self._run(work)

    async def append(  # noqa: PLR0913 - what an event has
        self,
        entity_id: str,
        event_type: str,
        payload: Mapping[str, Any],
        *,
        metadata: Mapping[str, Any] | None = None,
        tags: Iterable[str] = (),
        version: int | None = None,
        causation_id: int | None = None,
        correlation_id: str | None = None,
        expected_sequence: int | None = None,
        expected_version: ExpectedVersion | None = None,
    ) -> Event:
        """Record one fact as it is."""
        new = NewEvent(
            event_type,
            payload,
            entity_id=entity_id,
            metadata=metadata,
            tags=tags,
            version=version,
        )
        if expected_sequence is not None:
            check_sequence(expected_sequence, "expected_sequence")
        inherited = causes(causation_id, correlation_id)
        versions = expect_versions_of([new], self.domain, expected_version)
        work = Append(self.domain, [new], inherited, expected_sequence, versions)
        return (await self._run(work)).events[0]

    async def append_many(
        self,
        new_events: Iterable[NewEvent],
        *,
        expected_version: ExpectedVersions | None = None,
        causation_id: int | None = None,
        correlation_id: str | None = None,
    ) -> list[Event]:
        """Record facts in order as they are, with one statement."""
        events = list(checked_events(new_events, "append_many"))
        versions = expect_versions_of(events, self.domain, expected_version)
        inherited = causes(causation_id, correlation_id)
        return await self._append(Append(self.domain, events, inherited, None, versions))

    async def append_if(
        self,
        new_events: Iterable[NewEvent],
        *,
        no_match: Query,
        after: int = 0,
        causation_id: int | None = None,
        correlation_id: str | None = None,
    ) -> list[Event]:
        """Record facts unless an event after ``after`` matches; see `EventLog.append_if`.

        What this transaction wrote before counts too.
        """
        events = list(checked_events(new_events, "append_if"))
        inherited = causes(causation_id, correlation_id)
        boundary = expect_no_match(no_match, after)
        return await self._append(Append(self.domain, events, inherited, None, boundary))

    async def _append(self, work: Append) -> list[Event]:
        return list((await self._run(work)).events)

    @property
    def _folder(self) -> Domain:
        return self.domain or NO_DOMAIN

    async def _run(self, work: Execute | Append) -> Commit:
        space = await self._tx.enter(self._target)
        return await self._tx.run_job(space, self._folder, work)

    async def read(self, keys: Sequence[str]) -> dict[str, Packed | None]:
        """Read packed values as of now inside the transaction; a gap is folded first."""
        space = await self._tx.enter(self._target)
        return await self._tx.read(space, self.domain, keys)

    async def page(self, prefix: str, after: str, limit: int) -> list[tuple[str, Packed]]:
        """Read keys in order as of now inside the transaction; a gap is folded first."""
        space = await self._tx.enter(self._target)
        await self._tx.read(space, self.domain, ())
        return await self._tx.run(
            lambda ex: pstate.read_scan(ex, space.space_id, prefix, after=after, limit=limit)
        )

    @property
    def name(self) -> str:
        """What the space was called when the scope was made."""
        return str(getattr(self._target, "space_name", self._target))
