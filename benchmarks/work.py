"""The work that every program does, and how a round of it is timed; needs Python alone."""

import asyncio
import contextlib
import gc
import inspect
import json
import os
import random
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import asdict, dataclass
from typing import Any, Self

SPACE = "bench"
EVENT_TYPE = "contact.saved"
DIMENSION = 128
"""Numbers of a vector."""
KNOWN_KEYS = 100
"""How many contacts a case works on that changes what is there."""


def payload(i: int, change: int | None = None) -> dict[str, Any]:
    """Return the payload of the reference: about 98 bytes as MessagePack.

    With the number of a ``change`` contact ``i`` has another name than before.
    """
    return {
        "contact_id": f"contact-{i}",
        "name": f"Person Number {i if change is None else change}",
        "email": f"person{i}@example.com",
        "tags": ["alpha", "beta", "gamma"],
    }


def entity(i: int) -> str:
    """Return the entity id, which is also the pstate key, of contact ``i``."""
    return f"contact:contact-{i}"


def vectors_made() -> Iterator[list[float]]:
    """Yield vectors, the same ones in every program; making them costs less than storing them."""
    chance = random.Random(7).random
    while True:
        yield [chance() - 0.5 for _ in range(DIMENSION)]


@dataclass(frozen=True, slots=True)
class Sample:
    """One round: units done, seconds of the clock and of this process's CPU, latency in µs."""

    units: int
    seconds: float
    cpu: float
    p50: float = 0.0
    p99: float = 0.0
    note: float = 0.0
    """What a case measures besides time (bytes of memory)."""


Round = Callable[[int], Sample | Awaitable[Sample]]
"""Does so many units of the prepared work, and says what they cost."""

Work = Callable[..., AbstractAsyncContextManager[Round]]
"""Prepares; the rounds follow inside the block; cleans up behind it."""


class Meter:
    """Clock and CPU of a block."""

    def __enter__(self) -> Self:
        self._cpu, self._clock = time.process_time(), time.perf_counter()
        return self

    def __exit__(self, *_: object) -> None:
        self.seconds = time.perf_counter() - self._clock
        self.cpu = time.process_time() - self._cpu

    def sample(self, units: int, latencies: Sequence[float] = (), note: float = 0.0) -> Sample:
        """Make the sample of the block that has ended."""
        ordered = sorted(latencies) or [0.0]
        p50, p99 = ordered[len(ordered) // 2], ordered[int(len(ordered) * 0.99)]
        return Sample(units, self.seconds, self.cpu, p50 * 1e6, p99 * 1e6, note)


class Numbers:
    """Gives every unit of a case a number of its own, over all rounds."""

    def __init__(self) -> None:
        self._next = 0

    def take(self, n: int) -> range:
        """Return the next ``n`` numbers."""
        first, self._next = self._next, self._next + n
        return range(first, self._next)


async def drive(
    numbers: range, callers: int, command: Callable[[int], Awaitable[object]]
) -> Sample:
    """Let so many callers at a time do the numbered commands, each the next one that is free."""
    latencies: list[float] = []
    todo = iter(numbers)
    clock = time.perf_counter

    async def caller() -> None:
        for i in todo:
            started = clock()
            await command(i)
            latencies.append(clock() - started)

    with Meter() as meter:
        if callers == 1:
            await caller()
        else:
            await asyncio.gather(*(caller() for _ in range(callers)))
    return meter.sample(len(latencies), latencies)


def drive_sync(numbers: range, command: Callable[[int], object]) -> Sample:
    """Do the numbered commands one after the other."""
    latencies: list[float] = []
    clock = time.perf_counter
    with Meter() as meter:
        for i in numbers:
            started = clock()
            command(i)
            latencies.append(clock() - started)
    return meter.sample(len(latencies), latencies)


def drive_threads(
    numbers: range, pool: ThreadPoolExecutor, command: Callable[[int], Any]
) -> Sample:
    """Let the threads of a pool do the numbered commands."""
    latencies: list[float] = []
    clock = time.perf_counter

    def one(i: int) -> None:
        started = clock()
        command(i)
        latencies.append(clock() - started)

    with Meter() as meter:
        for _ in pool.map(one, numbers):
            pass
    return meter.sample(len(latencies), latencies)


def serve(works: dict[str, Work]) -> None:
    """Prepare and run works as the lines of standard input ask, answering each with a line."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", buffering=1)
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # a library that prints must not disturb
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_serve(works, answers))


async def _serve(works: dict[str, Work], answers: Any) -> None:
    prepared: dict[int, tuple[AsyncExitStack, Round]] = {}
    for request in _requests():
        handle = request["handle"]
        answer: dict[str, Any] = {}
        try:
            match request["do"]:
                case "prepare":
                    stack = AsyncExitStack()
                    context = works[request["work"]](**request["options"])
                    prepared[handle] = stack, await stack.enter_async_context(context)
                case "round":
                    gc.collect()  # each round pays for its own garbage
                    done = prepared[handle][1](request["units"])
                    sample = await done if inspect.isawaitable(done) else done
                    answer = asdict(sample)
                case _:
                    await prepared.pop(handle)[0].aclose()
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
            if os.environ.get("RAMAX_BENCH_DEBUG"):
                raise
        answers.write(json.dumps(answer) + "\n")


def _requests() -> Iterator[dict[str, Any]]:
    while line := sys.stdin.readline():
        yield json.loads(line)
