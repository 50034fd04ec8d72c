"""A reader: several reads of a space's read model as of one sequence."""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from functools import partial
from typing import Any, Self, TypeVar

from ramax.core.decoding import Decoding
from ramax.core.limits import check_key
from ramax.core.preload import preload, preload_tree
from ramax.core.state import Packed, Tagged
from ramax.core.walk import NOT_THERE
from ramax.errors import (
    ClosedError,
    MisuseError,
    NestedTransactionError,
    StorageError,
    TransactionFailedError,
)
from ramax.runtime.core import Core
from ramax.runtime.page_fold import facts_of
from ramax.runtime.state_reads import StateReads
from ramax.runtime.state_view import Pages, StateView, check_prefix
from ramax.storage import pstate
from ramax.storage.backend import Reading
from ramax.storage.cancellation import to_its_end
from ramax.storage.executors import Executor
from ramax.storage.reads import read_values
from ramax.values import Space

T = TypeVar("T")
logger = logging.getLogger("ramax.reader")

LONG = 60.0
"""Seconds after which a reader that is still open is named in a warning."""


class PStateReader(StateView):
    """The read model as it was when the block began, whatever is written meanwhile.

    For one task and one block, within which that task's handles are refused. What it has read
    once it does not read again. At most 8 are open on one database; who comes next waits. In
    memory there is one connection: everything else waits until the block ends.
    """

    def __init__(self, core: Core, space: Space, reads: StateReads, decoding: Decoding) -> None:
        super().__init__(decoding)
        self._core, self._space, self._reads = core, space, reads
        self._stack = AsyncExitStack()
        self._state = "new"
        self._task: asyncio.Task[Any] | None = None
        self._reading: Reading | None = None
        self._sequence = 0
        self._failure: BaseException | None = None
        self._memory: dict[str, Packed | None] = {}
        self._size = 0

    @property
    def sequence(self) -> int:
        """The sequence that the read model is the fold of, up to and including it."""
        if self._state == "new":
            raise MisuseError("open the reader first: async with store.pstate.reader() as reader")
        return self._sequence

    # -- the block -------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        if self._state != "new":
            raise MisuseError("a reader is for one block; open another one")
        self._core.check_caller()
        self._task = asyncio.current_task()
        name = f"a reader of space {self._space.space_name!r}"
        async with AsyncExitStack() as stack:
            self._space = await self._reads.current()
            if self._space.space_id:  # `default` before its first write has nothing to read
                self._reading = await stack.enter_async_context(self._core.reader.reading(name))
                facts = await self._reading.read(lambda ex: facts_of(ex, self._space))
                self._sequence = facts.guard.checkpoint
            self._core.callers.enter(name)
            stack.callback(self._core.callers.leave, self._task)
            warning = asyncio.get_running_loop().call_later(LONG, _warn, name)
            stack.callback(warning.cancel)
            self._stack = stack.pop_all()
        self._state = "open"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._state = "closed"
        self._memory.clear()
        await to_its_end(self._stack.aclose())

    # -- reading ---------------------------------------------------------------------------------

    async def count(self, prefix: str = "") -> int:
        """Count the keys that begin with ``prefix``."""
        check_prefix(prefix)
        space_id = self._space.space_id
        return await self._run(lambda ex: pstate.read_count(ex, space_id, prefix) or 0, 0)

    async def preload(self, key: str, paths: Any) -> Any:
        """Read a key and what it leads to along paths of fields, a read per level.

        Later reads of these keys read nothing. See `SpacePState.preload`.
        """
        check_key(key, "pstate key")
        tree = preload_tree(paths)
        value = await self._walk(lambda: preload(key, tree))
        return None if value is NOT_THERE else value

    def _name(self) -> str:
        return self._space.space_name

    async def _load(self, keys: Sequence[str]) -> Mapping[str, Packed | None]:
        memory = self._memory
        found = {key: memory[key] for key in keys if key in memory}
        missing = [key for key in keys if key not in memory]
        if missing:
            space_id, nothing = self._space.space_id, dict.fromkeys(missing)
            values = await self._run(lambda ex: read_values(ex, space_id, missing), nothing)
            found.update(values)
            self._keep(values)
        else:
            self._check()
        return found

    async def _pages(self, prefix: str) -> Pages:
        return partial(self._page, prefix)

    async def _page(self, prefix: str, after: str, limit: int) -> list[tuple[str, Packed]]:
        space_id = self._space.space_id
        return await self._run(
            lambda ex: pstate.read_scan(ex, space_id, prefix, after=after, limit=limit), []
        )

    def _keep(self, values: Mapping[str, Packed | None]) -> None:
        """Remember what was read, up to the bytes of the cache; then begin afresh."""
        self._size += sum(len(key) + _bytes(value) for key, value in values.items())
        if self._size > self._core.options.cache_bytes:
            self._memory.clear()
            self._size = 0
        else:
            self._memory.update(values)

    async def _run(self, work: Callable[[Executor], T], nothing: T) -> T:
        self._check()
        if self._reading is None:
            return nothing
        try:
            return await self._reading.read(work)
        except (StorageError, asyncio.CancelledError) as error:
            self._failure = error
            raise

    def _check(self) -> None:
        if self._state == "new":
            raise MisuseError("open the reader first: async with store.pstate.reader() as reader")
        if self._state == "closed":
            raise ClosedError("the reader is closed")
        if asyncio.current_task() is not self._task:
            raise NestedTransactionError(
                "a reader belongs to the task that opened it; open one in each task"
            )
        if self._failure is not None:
            raise TransactionFailedError(
                "an earlier read of this reader broke off; open another reader"
            ) from self._failure


def _bytes(value: Packed | None) -> int:
    if value is None:
        return 0
    return len(value.data if isinstance(value, Tagged) else value)


def _warn(name: str) -> None:
    logger.warning(
        "%s has been open for more than %g s; the database keeps what was replaced since",
        name,
        LONG,
    )
