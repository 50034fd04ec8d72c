"""One space inside a transaction: its verbs, and its pstate as the transaction sees it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from ramax.core.decoding import Decoding
from ramax.core.domain import Command, Domain
from ramax.core.limits import check_sequence
from ramax.core.state import Packed
from ramax.errors import MisuseError
from ramax.runtime.commands import NO_DOMAIN, causes
from ramax.runtime.core import SpaceLike
from ramax.runtime.jobs import Append, Execute
from ramax.runtime.pstate import distinct_keys
from ramax.values import Commit, Event, NewEvent, Space


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


@dataclass(frozen=True, slots=True)
class TransactionPState:
    """The pstate of one space as the transaction sees it: its own writes included."""

    _scope: "TransactionScope"

    async def get(self, key: str, default: Any = None) -> Any:
        """Return the value of a key, or ``default``."""
        return (await self.get_many([key])).get(key, default)

    async def get_many(self, keys: Iterable[str]) -> dict[str, Any]:
        """Return the values of those keys that exist."""
        found = await self._scope.read(distinct_keys(keys))
        decode = Decoding(self._scope.domain).value
        return {key: decode(key, value) for key, value in found.items() if value is not None}


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
        causation_id: int | None = None,
        correlation_id: str | None = None,
    ) -> Commit:
        """Run a command; `Rejected`, or what the command raises, leaves the transaction usable."""
        if not callable(command):
            raise MisuseError(f"a command is a function (state, params), got {command!r:.80}")
        if expected_sequence is not None:
            check_sequence(expected_sequence, "expected_sequence")
        inherited = causes(causation_id, correlation_id)
        work = Execute(self._folder, [(command, params)], inherited, expected_sequence)
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
        commit = await self._run(Append(self.domain, [new], inherited, expected_sequence))
        return commit.events[0]

    async def append_many(self, new_events: Iterable[NewEvent]) -> list[Event]:
        """Record facts in order as they are, with one statement."""
        commit = await self._run(Append(self.domain, list(new_events), causes(None, None)))
        return list(commit.events)

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
