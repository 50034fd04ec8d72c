"""Runs cases: every entrant prepared, then in turns, round after round."""

import asyncio
import os
import shutil
import signal
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import asyncpg

from benchmarks.cases import Case, Entrant
from benchmarks.environments import NotInstalledError, python_of
from benchmarks.programs.process import Program, ProgramError
from benchmarks.work import Sample
from tests._postgres import NoPostgresError, Server

SECONDS, QUICK_SECONDS = 0.4, 0.2
"""How long a round of the slowest entrant may take, where its size can be chosen."""
FEWEST = 3
"""Rounds that a median needs, however long they take."""


@dataclass(slots=True)
class Measured:
    """What an entrant came to: its samples, or why there are none."""

    entrant: Entrant
    samples: list[Sample] = field(default_factory=list)
    error: str = ""

    def median(self, value: Callable[[Sample], float]) -> float:
        """Return the median of something over the rounds."""
        return statistics.median(map(value, self.samples))

    @property
    def rate(self) -> float:
        """Units a second."""
        return self.median(lambda s: s.units / s.seconds)

    @property
    def cpu(self) -> float:
        """CPU µs of the client's process per unit; a server's work is not in it."""
        return self.median(lambda s: s.cpu / s.units * 1e6)


@dataclass(slots=True)
class Result:
    """A case and its entrants."""

    case: Case
    measured: list[Measured]
    seconds: float = 0.0
    """What the case took in all, its preparation included."""

    def of(self, label: str) -> Measured | None:
        """Return an entrant that was measured."""
        return next((m for m in self.measured if m.entrant.label == label and m.samples), None)

    def ratios(self, label: str, to: str) -> list[float]:
        """Return rate / rate for each round, both from the same one."""
        one, other = self.of(label), self.of(to)
        if one is None or other is None:
            return []
        return [
            (a.units / a.seconds) / (b.units / b.seconds)
            for a, b in zip(one.samples, other.samples, strict=True)
        ]


class Place:
    """Where databases are made: a folder, and a PostgreSQL server once somebody needs it."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="ramax-bench-"))
        self._server: Server | None = None
        self._made = 0

    def target(self, database: str) -> str:
        """Return the path of a new file, or the URL of a new database.

        Raises:
            NoPostgresError: This machine has no PostgreSQL.
        """
        self._made += 1
        if database == "none":
            return ""
        if database == "sqlite":
            return str(self.folder / f"{self._made}.db")
        name = f"bench_{self._made}"
        try:
            self._server = self._server or Server(durable=True)
            asyncio.run(_run(self._server.url(), f"CREATE DATABASE {name}"))
        except OSError:  # somebody ended it; what ran there is lost, what follows need not be
            self._server = Server(durable=True)
            asyncio.run(_run(self._server.url(), f"CREATE DATABASE {name}"))
        return self._server.url(name)

    def forget(self, target: str) -> None:
        """Remove what `target` gave, which nobody uses any more."""
        if "://" in target and self._server is not None:
            name = target.rpartition("/")[2].partition("?")[0]
            with suppress(OSError):
                drop = f"DROP DATABASE IF EXISTS {name} WITH (FORCE)"
                asyncio.run(_run(self._server.url(), drop))
        elif target:
            for path in self.folder.glob(f"{Path(target).name}*"):
                shutil.rmtree(path) if path.is_dir() else path.unlink()

    def close(self) -> None:
        """Remove everything."""
        if self._server is not None:
            with suppress(ProcessLookupError):
                os.kill(self._server.pid, signal.SIGQUIT)  # no checkpoint of what goes anyway
            self._server.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


async def _run(url: str, statement: str) -> None:
    plain = url.replace("postgresql+asyncpg:", "postgresql:").replace("ssl=", "sslmode=")
    connection = await asyncpg.connect(plain)
    await connection.execute(statement)
    await connection.close()


class Bench:
    """The running programs, and the place where their databases are."""

    def __init__(self, cases: Sequence[Case], *, quick: bool) -> None:
        self._quick = quick
        self._place = Place()
        self._programs: dict[str, Program] = {}
        wanted = dict.fromkeys(e.program for case in cases for e in case.entrants)
        for name in wanted:
            if not _is_rival(name):
                self._program(name)  # all at once: starting takes a moment

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for program in self._programs.values():
            program.close()
        self._place.close()

    def run(self, case: Case) -> Result:
        """Prepare every entrant, warm each up, then let them take turns."""
        begun = time.monotonic()
        result = Result(case, [Measured(entrant) for entrant in self._entrants(case)])
        ready: list[_Ready] = []
        for measured in result.measured:
            try:
                ready.append(self._prepare(case, measured))
            except (ProgramError, NotInstalledError, NoPostgresError) as error:
                measured.error = str(error) or type(error).__name__
        self._rounds(case, ready)
        for each in ready:
            with suppress(ProgramError):
                each.program.finish(each.handle)
            if not self._quick:  # dropping a database waits for a checkpoint
                self._place.forget(each.target)
        result.seconds = time.monotonic() - begun
        return result

    def _rounds(self, case: Case, ready: Sequence["_Ready"]) -> None:
        units = case.quick_units if self._quick else case.units
        rounds = case.quick_rounds if self._quick else case.rounds
        longest = QUICK_SECONDS if self._quick else SECONDS
        if rounds > 1:
            units = self._warm_up(case, ready, units, longest)
        started = time.monotonic()
        for number in range(rounds):
            if number >= FEWEST and time.monotonic() - started > longest * case.rounds * 2:
                break  # the machine is busy, or an entrant cannot do less than a long round
            turn = number % max(1, len(ready))  # who follows whom matters to a disk
            for each in [*ready[turn:], *ready[:turn]]:
                if sample := self._round(each, units):
                    each.measured.samples.append(sample)

    def _warm_up(self, case: Case, ready: Sequence["_Ready"], units: int, longest: float) -> int:
        """Let everybody work, and return how many units fit into a round of the slowest.

        A few units first: as many as a round of a fast machine has may take a slow entrant a
        minute.
        """
        few = min(units, case.step)
        fitting = self._fitting(ready, few, longest)
        more = min(units, 4 * fitting)
        if more > few:
            fitting = self._fitting(ready, more, longest)
        return max(few, min(units, fitting) // case.step * case.step)

    def _fitting(self, ready: Sequence["_Ready"], units: int, longest: float) -> int:
        seconds = [sample.seconds for each in ready if (sample := self._round(each, units))]
        return int(units * longest / max(seconds, default=longest))

    def _round(self, each: "_Ready", units: int) -> Sample | None:
        """Do one round; an entrant that fails is out, and the others go on."""
        if each.measured.error:
            return None
        try:
            return each.program.round(each.handle, units)
        except ProgramError as error:
            each.measured.samples, each.measured.error = [], str(error)
            return None

    def _entrants(self, case: Case) -> Sequence[Entrant]:
        if not self._quick:
            return case.entrants
        # rivals are for the full run: installing them takes longer than the whole quick one
        return [e for e in case.entrants if not (e.full_only or _is_rival(e.program))]

    def _prepare(self, case: Case, measured: Measured) -> "_Ready":
        entrant = measured.entrant
        program = self._program(entrant.program)
        target = self._place.target(case.database)
        options: dict[str, Any] = dict(entrant.options)
        if self._quick:
            options |= case.quick_options
        handle = program.prepare(entrant.work, {"target": target} | options)
        return _Ready(measured, program, handle, target)

    def _program(self, name: str) -> Program:
        if name not in self._programs or self._programs[name].ended:
            module = name if "." in name else f"programs.{name}"
            self._programs[name] = Program(f"benchmarks.{module}", python_of(name))
        return self._programs[name]


def _is_rival(program: str) -> bool:
    return program.endswith("_rival")


@dataclass(frozen=True, slots=True)
class _Ready:
    """An entrant whose work is prepared."""

    measured: Measured
    program: Program
    handle: int
    target: str
