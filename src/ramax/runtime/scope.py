"""One space inside a transaction: its verbs, and its pstate as the transaction sees it."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, Protocol, TypeVar

from ramax.core.datatypes.datatype import DataType
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
from ramax.core.new_events import checked_events
from ramax.core.query import Query, Search
from ramax.core.state import Packed
from ramax.errors import MisuseError
from ramax.runtime.access import is_replicated, read_in_order, read_range, read_window
from ramax.runtime.commands import NO_DOMAIN, causes, checked_commands
from ramax.runtime.core import SpaceLike
from ramax.runtime.jobs import Append, Execute
from ramax.runtime.partition import Partition, Range, Window, Write, WriteOptions
from ramax.runtime.state_view import Pages, StateView
from ramax.storage import pstate
from ramax.storage.executors import Executor, Row
from ramax.values import Commit, Event, NewEvent, Space

T = TypeVar("T")


class Steps(Protocol):
    """What a scope needs of its transaction."""

    async def enter(self, target: SpaceLike) -> Space:
        """Return a space of the transaction, locked from here on; made if it was not there."""
        ...

    async def look(self, target: SpaceLike) -> Space | None:
        """Return a space of the transaction, locked from here on, or None if there is none."""
        ...

    def rehearse(self, target: SpaceLike, work: Execute | Append) -> list[Commit]:
        """Run a step on an empty space that is not there; nothing is written."""
        ...

    async def run_job(self, space: Space, domain: Domain, work: Execute | Append) -> list[Commit]:
        """Decide and write one step; return what came of each of its commands."""
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
        commits = await self.execute_many(
            ((command, params),),
            expected_sequence=expected_sequence,
            expected_version=expected_version,
            causation_id=causation_id,
            correlation_id=correlation_id,
        )
        return commits[0]

    async def execute_many(
        self,
        commands: Iterable[tuple[Command, Any]],
        *,
        expected_sequence: int | None = None,
        expected_version: Mapping[str, ExpectedVersion] | None = None,
        causation_id: int | None = None,
        correlation_id: str | None = None,
    ) -> list[Commit]:
        """Run commands one after another as one step; see `ContentStore.execute_many`.

        Of many commands this is much the quicker way: PostgreSQL goes over every version of a row
        that the transaction has made before, so each step takes longer than the one before it.
        """
        pairs = checked_commands(commands)
        if expected_sequence is not None:
            check_sequence(expected_sequence, "expected_sequence")
        inherited = causes(causation_id, correlation_id)
        versions = expect_versions(expected_version)
        if not pairs:
            await self._tx.look(self._target)
            return []
        return await self._run(Execute(self._folder, pairs, inherited, expected_sequence, versions))

    async def append(  # noqa: PLR0913 - what an event has
        self,
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
        return (await self._run(work))[0].events[0]

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
        return list((await self._run(work))[0].events)

    @property
    def _folder(self) -> Domain:
        return self.domain or NO_DOMAIN

    async def _run(self, work: Execute | Append) -> list[Commit]:
        space = await self._tx.look(self._target)
        if space is None:  # what fails, or adds nothing, makes no space
            tried = self._tx.rehearse(self._target, work)
            if not any(commit.events for commit in tried):
                return tried
            space = await self._tx.enter(self._target)
        return await self._tx.run_job(space, self._folder, work)

    async def read(self, keys: Sequence[str]) -> dict[str, Packed | None]:
        """Read packed values as of now inside the transaction; a gap is folded first."""
        space = await self._tx.look(self._target)
        if space is None:
            return dict.fromkeys(keys)
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

    def part(self, datatype: DataType) -> Partition:
        """Return what a data type keeps in the space, as the transaction sees it."""
        return Partition(_ScopeAccess(self), datatype)


@dataclass(frozen=True, slots=True)
class _ScopeAccess:
    """How a data type reaches its part of a space inside a transaction."""

    _scope: TransactionScope

    async def execute(self, datatype: DataType, write: Write, options: WriteOptions) -> Commit:
        """Run a command of a data type."""
        if options.get("idempotency_key") is not None:
            raise MisuseError("a transaction takes no idempotency_key: what repeats is the whole")
        expected = options.get("expected_sequence")
        if expected is not None:
            check_sequence(expected, "expected_sequence")
        why = causes(options.get("causation_id"), options.get("correlation_id"))
        work = Execute(datatype, [(write.command, write.params)], why, expected)
        commits = await self._scope._run(work)  # noqa: SLF001 - the other half of the scope
        return commits[0]

    async def packed(self, keys: Sequence[str]) -> dict[str, Packed | None]:
        """Read stored values; None for a key that is not there."""
        return await self._scope.read(keys)

    async def memory(self) -> None:
        """None: what the transaction wrote may yet be rolled back."""

    async def locate(self, at: int | datetime) -> int:
        """Refuse: a transaction is about now."""
        raise MisuseError(f"as_of={at} inside a transaction; read the past through the store")

    async def is_replicated(self) -> bool:
        """Read it with one statement."""
        return await self._query(is_replicated, False)  # noqa: FBT003

    async def in_order(self, entity_id: str, upto: int) -> Sequence[int] | None:
        """Read them, the transaction's own included."""
        return await self._query(lambda ex, id_: read_in_order(ex, id_, entity_id, upto), None)

    async def page(self, wanted: Range) -> Sequence[tuple[str, Packed]]:
        """Read a page of keys, the transaction's own included."""
        return await self._query(lambda ex, space_id: read_range(ex, space_id, wanted), ())

    async def count(self, prefix: str) -> int:
        """Count the keys that begin with ``prefix``."""
        return await self._query(lambda ex, id_: pstate.read_count(ex, id_, prefix) or 0, 0)

    async def matches(self, search: Search, wanted: Window) -> Sequence[Row]:
        """Read a page of events, the transaction's own included."""
        return await self._query(lambda ex, space_id: read_window(ex, space_id, search, wanted), ())

    async def _query(self, work: Callable[[Executor, int], T], nothing: T) -> T:
        tx, target = self._scope._tx, self._scope._target  # noqa: SLF001 - as above
        space = await tx.look(target)
        if space is None:
            return nothing
        return await tx.run(lambda ex: work(ex, space.space_id))
