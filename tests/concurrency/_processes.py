"""Programs of these tests, each in a process of its own, at a common start."""

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[2]


@contextmanager
def started(program: str, *arguments: str) -> Iterator["subprocess.Popen[str]"]:
    """Start a program of ``_programs`` and wait until it says that it is ready."""
    process = subprocess.Popen(
        [sys.executable, "-W", "error", "-m", f"tests.concurrency._programs.{program}", *arguments],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}"},
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def run_together(program: str, calls: Sequence[Sequence[str]], *, timeout: float = 60) -> list[str]:
    """Run one process for each list of arguments, from one start; return what each printed.

    A process that fails fails the test with its stderr.
    """
    with _several(program, calls) as processes:
        for process in processes:
            await_ready(process)
        for process in processes:
            go(process)
        answers = [process.communicate(timeout=timeout) for process in processes]
        for process, (_, errors) in zip(processes, answers, strict=True):
            assert process.returncode == 0, errors
        return [output for output, _ in answers]


def await_ready(process: "subprocess.Popen[str]") -> None:
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n", process.communicate(timeout=5)[1]


def go(process: "subprocess.Popen[str]") -> None:
    assert process.stdin is not None
    process.stdin.write("go\n")
    process.stdin.flush()


@contextmanager
def _several(
    program: str, calls: Sequence[Sequence[str]]
) -> Iterator[list["subprocess.Popen[str]"]]:
    if not calls:
        yield []
        return
    with started(program, *calls[0]) as first, _several(program, calls[1:]) as others:
        yield [first, *others]
