"""Runs the command: in this process, or as a process of its own as an operator does."""

import asyncio
import json
import os
import pty
import subprocess
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from click.testing import CliRunner, Result

import ramax
from ramax.cli.app import ramax as program

ROOT = Path(__file__).parents[2]
T = TypeVar("T")


def run(*arguments: str, **options: Any) -> Result:
    """Run the command in this process; whatever it raises is a failure of the test."""
    return CliRunner().invoke(program, arguments, prog_name="ramax", **options)


def succeed(*arguments: str, **options: Any) -> str:
    """Run it; it must exit with 0 and say nothing on stderr. Return what it prints."""
    done = run(*arguments, **options)
    assert (done.exit_code, done.stderr) == (0, ""), done.output
    return done.stdout


def read(*arguments: str) -> Any:
    """Run it with --json and return the one document that it prints."""
    return json.loads(succeed(*arguments, "--json"))


def fail(*arguments: str, **options: Any) -> str:
    """Run it; it must exit with 1 and print nothing but one line on stderr. Return that line."""
    done = run(*arguments, **options)
    assert (done.exit_code, done.stdout) == (1, ""), done.output
    assert done.stderr.startswith("ramax: ")
    assert done.stderr.count("\n") == 1
    return done.stderr.removeprefix("ramax: ").rstrip("\n")


def start(*arguments: str, **options: Any) -> "subprocess.Popen[str]":
    """Start it as a process, with warnings as errors."""
    environment = {"PYTHONPATH": str(ROOT / "src"), **options.pop("env", {})}
    settings: dict[str, Any] = {
        "stdout": subprocess.PIPE,
        "stderr": subprocess.PIPE,
        "stdin": subprocess.DEVNULL,
        "text": True,
        "encoding": "utf-8",
    }
    started: subprocess.Popen[str] = subprocess.Popen(
        [sys.executable, "-W", "error", "-m", "ramax", *arguments],
        env=os.environ | environment,
        **settings | options,
    )
    return started


def process(*arguments: str, **options: Any) -> "subprocess.CompletedProcess[str]":
    """Run it as a process to its end."""
    with start(*arguments, **options) as started:
        output, errors = started.communicate(timeout=60)
    return subprocess.CompletedProcess(started.args, started.returncode, output, errors)


def on_a_terminal(
    *arguments: str,
    missing: str = "nothing",
    program: str = "from ramax.cli import main; main()",
) -> str:
    """Run it to its success on a terminal of 200 columns, and return what that is sent.

    ``missing`` is a package that is not installed there.
    """
    program = f"import sys; sys.modules[sys.argv.pop(1)] = None\n{program}"
    environment = {"PYTHONPATH": str(ROOT / "src"), "TERM": "xterm", "COLUMNS": "200"}
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-W", "error", "-c", program, missing, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=theirs,
        env=os.environ | environment,
        cwd=ROOT,
    ) as running:
        os.close(theirs)
        shown = bytearray()
        with suppress(OSError):  # Linux says so when the other end is closed
            while part := os.read(ours, 4096):
                shown += part
        os.close(ours)
    assert running.returncode == 0, shown.decode()
    return shown.decode()


def on(url: str, work: Callable[[ramax.Database], Awaitable[T]]) -> T:
    """Open the database as a program does, and do something with it."""

    async def opened() -> T:
        async with ramax.connect(url) as db:
            return await work(db)

    return asyncio.run(opened())
