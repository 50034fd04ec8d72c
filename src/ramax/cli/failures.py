"""What went wrong: one line on stderr that names the next step, and an exit code."""

import os
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from io import UnsupportedOperation
from typing import Any, Final

import click

from ramax.errors import (
    EventNotFoundError,
    KeyNotFoundError,
    RamaxError,
    SearchDisabledError,
    SpaceExistsError,
    SpaceNotEmptyError,
    SpaceNotFoundError,
    StorageBusyError,
)
from ramax.legacy import BadRowsError, ImportConflictError

FAILED: Final = 1
"""Exit code: ramax said no, or a check found something. 2 is click's, for wrong usage."""

INTERRUPTED: Final = 130
PIPE_CLOSED: Final = 141
"""Exit codes of a process that SIGINT, or SIGPIPE, has ended."""

_DEBUG = "ramax.debug"


class OpeningError(Exception):
    """The database could not be opened; the reason is ``__cause__``."""

    def __init__(self, shown_url: str, reason: BaseException, step: str) -> None:
        missing = reason.__cause__
        if isinstance(missing, ModuleNotFoundError):
            step = f"install it: pip install {missing.name}"
        told = str(reason)
        if not told.startswith("cannot open"):
            told = f"cannot open {shown_url}: {told}"
        super().__init__(f"{told}; {step}")


class Command(click.Command):
    """A command that knows --debug."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params.append(_debug_option())


class Group(click.Group):
    """A group of such commands."""

    command_class = Command
    group_class = type


class Root(Group):
    """The outermost group: whatever its commands raise becomes a line and a code here."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params.append(_debug_option())

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command that the arguments name."""
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()  # a closed pipe is noticed here, not when the interpreter ends
        except click.exceptions.Exit:
            raise
        except (Exception, KeyboardInterrupt) as error:
            if ctx.meta.get(_DEBUG):
                traceback.print_exc()
            if isinstance(error, click.ClickException):
                raise
            code, line = explained(error)
            if isinstance(error, OSError):
                _forget_stdout()
            if isinstance(error, click.Abort):
                click.echo(err=True)  # the question is still on its line
            click.echo(f"ramax: {' '.join(line.split())}", err=True)
            ctx.exit(code)
        return result


def explained(error: BaseException) -> tuple[int, str]:
    """Return the exit code and what to tell about an error."""
    if isinstance(error, KeyboardInterrupt):
        return INTERRUPTED, "interrupted; what was not finished is rolled back, run it again"
    if isinstance(error, BrokenPipeError):
        return PIPE_CLOSED, "the reader closed the pipe; the output is not complete"
    if isinstance(error, click.Abort):
        return FAILED, "nothing was done; give --yes where nobody can answer"
    if isinstance(error, RamaxError):
        for kind, line in _LINES.items():
            if isinstance(error, kind):
                return FAILED, line(error)
    if isinstance(error, (RamaxError, OpeningError, OSError)):
        return FAILED, str(error)
    return FAILED, (
        f"unexpected {type(error).__name__}: {error}; this is a defect of ramax, or of a domain: "
        "run it again with --debug to see where"
    )


_LINES: Final[dict[type[RamaxError], Callable[[Any], str]]] = {
    SpaceNotFoundError: lambda e: f"{e}; `ramax spaces list` shows those there are",
    KeyNotFoundError: lambda e: f"{e}; `ramax pstate scan SPACE` shows those there are",
    EventNotFoundError: lambda e: f"{e}; `ramax events tail` shows the newest",
    ImportConflictError: lambda e: (
        "; ".join(f"space {name!r} {reason}" for name, reason in e.conflicts.items())
        + "; give it another name with --map OLD=NEW"
    ),
    BadRowsError: lambda e: (
        f"{e.bad_rows[0].where}: {e.bad_rows[0].rule}; {len(e.bad_rows)} such rows, which "
        "`ramax legacy inspect` lists and --skip-bad leaves out"
    ),
    SearchDisabledError: lambda e: (
        f"space {e.space!r} {e.reason}; `ramax spaces enable-search` indexes its texts"
    ),
    SpaceExistsError: lambda e: f"a space {e.name!r} exists already; choose another name",
    SpaceNotEmptyError: lambda e: (
        f"space {e.space!r} is not empty ({e.event_count} events, {e.key_count} keys); "
        "--force deletes it with all of them"
    ),
    StorageBusyError: lambda e: f"{e}; try again when the other one is done",
}


def _debug_option() -> click.Option:
    return click.Option(
        ["--debug"],
        is_flag=True,
        is_eager=True,
        expose_value=False,
        callback=_remember,
        help="Show the traceback of an error.",
    )


def _remember(ctx: click.Context, _option: click.Parameter, value: bool) -> None:  # noqa: FBT001 - click's form
    if value:
        ctx.meta[_DEBUG] = True


def _forget_stdout() -> None:
    """Let what is still buffered go nowhere: the interpreter writes it out when it ends."""
    with suppress(UnsupportedOperation):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
