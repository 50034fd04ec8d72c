"""Runs async projections: each under a subscription of its name, rows and ack together."""

import logging
from collections.abc import Callable, Iterable, Sequence
from contextlib import AsyncExitStack
from functools import partial
from typing import NamedTuple

from ramax.core.domain import Domain
from ramax.core.projections import Projection
from ramax.errors import (
    ClosedError,
    MisuseError,
    ProjectionError,
    SpaceNotFoundError,
    SubscriptionLostError,
    SubscriptionPausedError,
)
from ramax.runtime import reprojection
from ramax.runtime.arrived import Arrived, read_arrived
from ramax.runtime.consumer import Consumer, Policy
from ramax.runtime.core import Core
from ramax.runtime.projecting import projector
from ramax.runtime.subscription import Subscription
from ramax.runtime.together import run_together
from ramax.runtime.transaction import Transaction
from ramax.storage import projections
from ramax.storage.executors import Executor
from ramax.storage.projections import Bound
from ramax.values import Event, Space

logger = logging.getLogger("ramax.projection")

ProjectOne = Callable[[Iterable[Event]], Sequence[Bound]]

_PAGE = 500
"""Events that one transaction projects at most."""

_NOT_THE_HANDLERS = (
    ClosedError,
    SpaceNotFoundError,
    SubscriptionLostError,
    SubscriptionPausedError,
)


async def run(
    core: Core,
    domain: Domain | None,
    names: Iterable[str],
    reader_of: Callable[[Projection], Subscription],
    attempts: int,
) -> None:
    """Run async projections of a domain in one space, each in a task of its own.

    Raises:
        MisuseError: The domain has none, or none of such a name.
    """
    chosen = _chosen(domain, tuple(names))
    async with AsyncExitStack() as stack:
        runners = []
        for projection in chosen:
            reader = await stack.enter_async_context(reader_of(projection))
            space = await core.resolve(reader.key.space_id)
            assert domain is not None  # it has projections
            runners.append(_Runner(core, _Target(space, domain, projection), reader, attempts))
        await run_together({f"ramax projection {each.name}": each.run() for each in runners})


def _chosen(domain: Domain | None, names: Sequence[str]) -> list[Projection]:
    found = [] if domain is None else [p for p in domain.projections if p.mode == "async"]
    if unknown := set(names) - {p.name for p in found}:
        raise MisuseError(f"the domain has no async projection {sorted(unknown)}")
    if not found:
        raise MisuseError("the domain has no projection with mode='async'")
    return [p for p in found if not names or p.name in names]


class _Target(NamedTuple):
    """What is kept up to date: the rows of a projection of a domain, in a space."""

    space: Space
    domain: Domain
    projection: Projection


class _Runner:
    """One projection of one space: pages of events, or one by one after a page has failed."""

    def __init__(self, core: Core, target: _Target, reader: Subscription, attempts: int) -> None:
        self._core, self._target, self._reader, self.name = core, target, reader, reader.name
        space = target.space
        self._project: ProjectOne = partial(
            projector(core.backend.tables), space.space_id, space.space_name, target.projection
        )
        self._row: Sequence[Event] = ()
        self._one_by_one = 0
        self._broken: ProjectionError | None = None
        policy = Policy(transaction=True, attempts=attempts)
        self._consumer = Consumer(core, reader, self._write_row, policy)

    async def run(self) -> None:
        """Project for ever, or to the end of a subscription that does not follow."""
        while True:
            try:
                if not await self._step():
                    return
            except SubscriptionLostError as error:
                logger.warning("%s; it waits for its turn", error)

    async def _step(self) -> bool:
        reader = self._reader
        most = 1 if self._one_by_one else _PAGE
        events = await reader.next_rows(most, 0) or await reader.next_rows(
            most, reader.terms.poll_interval
        )
        if not events:
            return reader.terms.follow or not reader.caught_up
        if self._one_by_one:
            self._one_by_one -= 1
            await self._handle(events)
            return True
        try:
            await self._project_page(events)
        except _NOT_THE_HANDLERS:
            raise
        except Exception as error:  # whatever a handler raises, or its statements
            logger.warning("projection %r goes on one by one: %s", self.name, error)
            self._one_by_one = len(events)
            reader.begin_again()
        return True

    async def _project_page(self, events: Sequence[Event]) -> None:
        arrived = await self._core.read(lambda ex: self._look(ex, events))
        if arrived.too_late:
            await self._project_anew(events[0])
            return
        made = self._project(arrived.events(events))  # before the space is locked
        async with self._reader.transaction(events[-1]) as tx:
            await tx.run(lambda ex: projections.run(ex, made))

    def _look(self, ex: Executor, events: Sequence[Event]) -> Arrived:
        after, upto = events[0].space_sequence - 1, events[-1].space_sequence
        return read_arrived(ex, *self._target, after=after, upto=upto)

    async def _project_anew(self, first: Event) -> None:
        """Make all rows anew, up to the newest event: one that came belongs before others."""
        try:
            await reprojection.rebuild(self._core, *self._target)
        except ProjectionError as error:  # it would fail for each of these events again
            self._broken = error
            await self._handle([first])
        else:
            self._reader.begin_again()

    async def _handle(self, events: Sequence[Event]) -> None:
        """Project one event by itself, or pause at it."""
        self._row = events
        try:
            await self._consumer.handle(events[-1])
        finally:
            self._broken = None

    async def _write_row(self, _event: Event, tx: Transaction) -> None:
        if self._broken is not None:
            raise self._broken
        arrived = await tx.run(lambda ex: self._look(ex, self._row))
        if arrived.too_late:
            new = reprojection.Reprojection(*self._target, self._core.options.page)
            await tx.run(lambda ex: new.write(ex, self._row[-1].space_sequence))
            return
        made = self._project(arrived.events(self._row))
        await tx.run(lambda ex: projections.run(ex, made))
