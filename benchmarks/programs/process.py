"""A measured program as a process: asks go in as lines of JSON, samples come back."""

import itertools
import json
import os
import select
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks.work import Sample

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 120.0
"""Seconds after which a program that does not answer is given up."""


class ProgramError(Exception):
    """The program answered with an error, or not at all."""


class Program:
    """One process, started by its module name; it serves any number of prepared works."""

    def __init__(self, module: str, python: str = sys.executable) -> None:
        environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
        paths = [str(ROOT), str(ROOT / "src")] if python == sys.executable else [str(ROOT)]
        self._name = module.rpartition(".")[2]
        self._handles = itertools.count()
        self._process = subprocess.Popen(
            [python, "-m", module],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env=environment | {"PYTHONPATH": os.pathsep.join(paths)},
        )

    def prepare(self, work: str, options: dict[str, Any]) -> int:
        """Set a work up and return its handle."""
        handle = next(self._handles)
        self._ask(do="prepare", handle=handle, work=work, options=options)
        return handle

    def round(self, handle: int, units: int) -> Sample:
        """Do one round of a prepared work."""
        return Sample(**self._ask(do="round", handle=handle, units=units))

    def finish(self, handle: int) -> None:
        """Clean up behind a prepared work."""
        self._ask(do="finish", handle=handle)

    @property
    def ended(self) -> bool:
        """The process is gone."""
        return self._process.poll() is not None

    def close(self) -> None:
        """End the process."""
        try:
            self._process.communicate(timeout=30)
        except subprocess.TimeoutExpired:  # its server went, for instance
            self._process.kill()
            self._process.communicate()

    def _ask(self, **request: Any) -> dict[str, Any]:
        assert self._process.stdin
        assert self._process.stdout
        try:
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError as error:
            raise ProgramError(f"{self._name} has ended") from error
        if not select.select([self._process.stdout], [], [], PATIENCE)[0]:
            self._process.kill()
            self._process.wait()
            raise ProgramError(f"{self._name} did not answer for {PATIENCE:g} s")
        line = self._process.stdout.readline()
        if not line:
            raise ProgramError(f"{self._name} ended with code {self._process.wait()}")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise ProgramError(f"{self._name}: {answer['error']}")
        return answer
