"""Processes of their own that run a script, from a moment that the test chooses."""

import subprocess
import sys
import textwrap
from subprocess import PIPE, Popen

START = "print('ready', flush=True); input()"
"""What a script does when it is ready: it waits for `go`."""


def spawn(script: str, *arguments: str) -> Popen[str]:
    """Start a process that runs ``script`` up to its `START`, with warnings as errors."""
    source = textwrap.dedent(script).replace("START", START)
    command = [sys.executable, "-W", "error", "-c", source, *arguments]
    return subprocess.Popen(command, text=True, stdin=PIPE, stdout=PIPE, stderr=PIPE)


def line(process: Popen[str]) -> str:
    """Wait for the next line that a process prints."""
    assert process.stdout is not None
    return process.stdout.readline().rstrip("\n")


def go(process: Popen[str]) -> None:
    """Let a process that is ready go on."""
    assert process.stdin is not None
    process.stdin.write("go\n")
    process.stdin.flush()


def race(script: str, *arguments: str, racers: int = 6, timeout: float = 60) -> list[str]:
    """Run ``script`` in processes that all wait for one start; return what each has printed.

    A process that fails fails the test with its stderr.
    """
    processes = [spawn(script, *arguments) for _ in range(racers)]
    try:
        for process in processes:
            assert line(process) == "ready", process.communicate(timeout=5)[1]
        for process in processes:
            go(process)
        answers = [process.communicate(timeout=timeout) for process in processes]
        for process, (_, errors) in zip(processes, answers, strict=True):
            assert process.returncode == 0, errors
        return [output for output, _ in answers]
    finally:
        for process in processes:
            process.kill()
            process.communicate()
