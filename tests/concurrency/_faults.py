"""Something breaks at a chosen point inside the next work: a statement, or the connection."""

import random
from typing import Any

import ramax
from tests.concurrency._proxy import Fate, Proxy


class SqliteFaults:
    """Interrupts a database's connections after some steps of SQLite's own machine."""

    def __init__(self, database: ramax.Database) -> None:
        backend: Any = database._core.backend
        self._drivers = {held._driver for held in (backend._writer, backend._reader)}
        self.struck = 0

    async def arm(self, seed: int) -> None:
        left = int(2 ** random.Random(seed).uniform(0, 9))

        def step() -> int:
            nonlocal left
            left -= 1
            self.struck += left == 0
            return left == 0

        await self._watch(step)

    async def disarm(self) -> None:
        await self._watch(None)

    async def _watch(self, step: Any) -> None:
        for driver in self._drivers:
            await driver.set_progress_handler(step, 1)


class ProxyFaults:
    """Loses a message on its way to or from PostgreSQL, and the connection with it."""

    def __init__(self, proxy: Proxy) -> None:
        self._proxy = proxy
        self.struck = 0

    async def arm(self, seed: int) -> None:
        dice = random.Random(seed)
        left = dice.randrange(1, 8)
        fate = dice.choice([Fate.LOSE, Fate.UNHEARD])

        def message(_: bytes) -> Fate:
            nonlocal left
            left -= 1
            self.struck += left == 0
            return fate if left == 0 else Fate.PASS

        if dice.random() < 0.5:
            self._proxy.request = message
        else:
            fate = Fate.LOSE
            self._proxy.answer = message

    async def disarm(self) -> None:
        self._proxy.request = self._proxy.answer = lambda _: Fate.PASS
