"""Two handles on one database, one of which suffers faults, beside a model of what it must hold."""

import asyncio
import copy
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack
from functools import wraps
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from sqlalchemy.ext.asyncio import create_async_engine

import ramax
from ramax.errors import CommitUnknownError, StorageError, TransactionFailedError
from tests.concurrency._audit import Contents, contents
from tests.concurrency._faults import ProxyFaults, SqliteFaults
from tests.concurrency._ledger import ledger
from tests.concurrency._model import Model
from tests.concurrency._proxy import proxied

NAMES = ("acme", "globex", "initech")
Models = dict[str, Model]
Stores = dict[str, ramax.ContentStore]
FAILED, UNKNOWN = object(), object()


def step(**given: Any) -> Callable[[Any], Any]:
    """Make a rule of an async method: one of the handles does something, perhaps with a fault."""

    def decorate(method: Callable[..., Coroutine[Any, Any, None]]) -> Any:
        @rule(handle=st.integers(0, 1), fault=st.none() | st.integers(0, 10**6), **given)
        @wraps(method)
        def run(self: "TwoHandles", handle: int, fault: int | None, **drawn: Any) -> None:
            self.run(self.one_step(handle, fault, method, drawn))

        return run

    return decorate


class TwoHandles(RuleBasedStateMachine):
    """One database, opened by a handle that suffers faults and by one that does not.

    In memory they are the same.
    """

    def __init__(self, url: str, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self.url, self.loop = url, loop
        self.count = 0
        self.keyed: list[tuple[str, dict[str, Any]]] = []
        self.stack = AsyncExitStack()
        self.run(self.open())

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self.loop.run_until_complete(asyncio.wait_for(work, 60))

    async def open(self) -> None:
        enter = self.stack.enter_async_context
        if self.url.startswith("postgresql"):
            proxy = await enter(proxied(self.url))
            first = await enter(ramax.connect(proxy.url))
            self.faults: SqliteFaults | ProxyFaults = ProxyFaults(proxy)
        else:
            first = await enter(ramax.connect(self.url))
            self.faults = SqliteFaults(first)
        alone = self.url == "sqlite://"
        self.handles = (first, first if alone else await enter(ramax.connect(self.url)))
        self.watcher = None if alone else create_async_engine(self.url)
        for space in await first.spaces.list_all():
            if space.space_id:
                await first.spaces.delete(space, force=True)
        self.models: Models = {}
        await self.stores()

    def teardown(self) -> None:
        async def end() -> None:
            await self.stack.aclose()
            if self.watcher is not None:
                await self.watcher.dispose()

        self.run(end())

    # -- a step ------------------------------------------------------------------------------------

    async def one_step(
        self, handle: int, fault: int | None, method: Any, drawn: dict[str, Any]
    ) -> None:
        self.db, self.fault = self.handles[handle], fault
        self.after = copy.deepcopy(self.models)
        await method(self, await self.stores(handle), **drawn)

    async def stores(self, handle: int = 0) -> Stores:
        """Open every space through a handle; what is missing is made, in the model as well."""
        found = {}
        for name in NAMES:
            found[name] = await self.handles[handle].content_store(name, ledger)
            self.models.setdefault(name, Model(found[name].space.space_id))
        return found

    def named(self, params: dict[str, Any]) -> dict[str, Any]:
        self.count += 1
        return {**params, "name": f"n{self.count}"}

    async def attempt(self, work: Awaitable[Any]) -> Any:
        """Do some work and take over ``after`` if it happened; return its answer or what it came to.

        Where nobody knows, what is there decides. Nothing fails without a fault.
        """
        answer = await self.struck_by_fault(work)
        happened = answer is not FAILED
        if answer is UNKNOWN:
            happened = await self.holds(self.after)
        if happened:
            self.models = self.after
        return answer

    async def struck_by_fault(self, work: Awaitable[Any]) -> Any:
        before = self.faults.struck
        if self.fault is not None:
            await self.faults.arm(self.fault)
        try:
            return await work
        except (StorageError, TransactionFailedError) as error:
            assert self.faults.struck > before, f"without a fault: {error!r}"
            return UNKNOWN if isinstance(error, CommitUnknownError) else FAILED
        finally:
            await self.faults.disarm()

    async def contents(self) -> dict[str, Contents]:
        if self.watcher is None:
            async with self.handles[0].connection() as connection:
                return await contents(connection)
        async with self.watcher.connect() as connection:
            return await contents(connection)

    async def holds(self, models: Models) -> bool:
        found = await self.contents()
        try:
            for name, model in models.items():
                model.check(found[name])
        except AssertionError:
            return False
        return True

    @invariant()
    def every_space_holds_what_its_model_holds(self) -> None:
        for name, raw in self.run(self.contents()).items():
            if name in self.models:
                self.models[name].check(raw)
