"""Runs the reactions of a domain: each under its own subscription, at least once for each event."""

from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from functools import partial
from typing import Any, Protocol

from ramax.core.domain import Command, Domain
from ramax.core.reactions import ReactionRule
from ramax.errors import MisuseError
from ramax.runtime.consumer import OnError
from ramax.runtime.subscription import Subscription
from ramax.runtime.together import run_together
from ramax.values import Commit, Event


class Store(Protocol):
    """What a reaction needs of the store of an event's space."""

    async def execute(
        self, command: Command, params: Any = None, *, idempotency_key: str | None = None
    ) -> Commit:
        """Decide a command."""
        ...


StoreOf = Callable[[Event], Awaitable[Store]]
SubscriptionOf = Callable[[ReactionRule, int], Subscription]


class Reaction:
    """What a handler gets beside its event.

    ``deduplication_id`` is the same whenever the handler runs for this event: give it to whatever
    must not happen twice elsewhere. ``store`` is that of the event's space.
    """

    def __init__(self, store: Any, subscription: str, event: Event) -> None:
        self.store, self.event = store, event
        part = f".{event.part}" if event.part else ""  # upcasters made several of one event
        self.deduplication_id = f"{event.space_id}/{subscription}/{event.space_sequence}{part}"
        self._count = 0

    async def execute(self, command: Command, params: Any = None) -> Commit:
        """Decide a follow-up command in the event's space, once however often the handler runs.

        Its events have this one as their cause. A handler that runs again has to ask for the same
        commands in the same order.

        Raises:
            Rejected: The command said no.
            IdempotencyConflictError: It asked for something else the last time.
        """
        self._count += 1
        key = f"{self.deduplication_id}/{self._count}"
        commit: Commit = await self.store.execute(command, params, idempotency_key=key)
        return commit


async def run(
    domain: Domain | None,
    subscription_of: SubscriptionOf,
    store_of: StoreOf,
    *,
    partitions: int = 1,
    on_error: OnError,
    attempts: int,
) -> None:
    """Run all reactions of a domain, each in a task of its own.

    Raises:
        MisuseError: The domain has none.
        SubscriptionPausedError: One is paused, and they do not follow.
        ExceptionGroup: Several failed at the same time; one alone is raised as it is.
    """
    if domain is None or not len(domain.reactions):
        raise MisuseError("the domain has no reactions: @domain.reaction('a.b')")
    async with AsyncExitStack() as stack:
        loops = {}
        for rule in domain.reactions:
            for partition in range(partitions):
                subscription = subscription_of(rule, partition)
                reader = await stack.enter_async_context(subscription)
                handler = partial(_react, rule, store_of)
                name = f"ramax reaction {rule.name}/{partition}"
                loops[name] = partial(reader.run, handler, on_error=on_error, attempts=attempts)
        await run_together({name: loop() for name, loop in loops.items()})


async def _react(rule: ReactionRule, store_of: StoreOf, event: Event) -> None:
    await rule.handler(event, Reaction(await store_of(event), rule.name, event))
