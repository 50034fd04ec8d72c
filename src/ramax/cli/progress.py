"""How far a long job has come: a bar on stderr, where that is a terminal."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import click

from ramax.cli.output import has_rich, printable
from ramax.values import Progress

Show = Callable[[Progress], None]


@contextmanager
def progress_bar(label: str, unit: str = "events") -> Iterator[Show]:
    """Lend a function that shows a `Progress`: how many, how fast, how long still."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    with (_rich_bar if has_rich() else _plain_bar)(printable(label), unit) as show:
        yield show


def rate(progress: Progress) -> float:
    """Return how many per second so far."""
    return progress.done / progress.seconds if progress.seconds > 0 else 0.0


def summary(verb: str, count: int, seconds: float) -> str:
    """Say how many events there were in what time."""
    speed = f" ({count / seconds:,.0f} events/s)" if count and seconds > 0 else ""
    return f"{verb} {count:,} events in {seconds:.1f} s{speed}"


@contextmanager
def _rich_bar(label: str, unit: str) -> Iterator[Show]:
    from rich.console import Console  # noqa: PLC0415 - not everybody has it
    from rich.progress import (  # noqa: PLC0415
        BarColumn,
        TextColumn,
        TimeRemainingColumn,
    )
    from rich.progress import Progress as Bar  # noqa: PLC0415

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn(
            f"{{task.completed:,.0f}} of {{task.total:,.0f}}, {{task.fields[rate]:,.0f}} {unit}/s"
        ),
        TimeRemainingColumn(),
    )
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(label, total=0, rate=0.0)
        yield lambda p: bar.update(task, completed=p.done, total=p.total, rate=rate(p))


@contextmanager
def _plain_bar(label: str, unit: str) -> Iterator[Show]:
    speed = ""
    bar: Any
    with click.progressbar(
        length=1,
        label=label,
        file=sys.stderr,
        show_pos=True,
        item_show_func=lambda _: speed,
    ) as bar:

        def show(progress: Progress) -> None:
            nonlocal speed
            speed = f"{rate(progress):,.0f} {unit}/s"
            bar.length = progress.total
            bar.update(progress.done - bar.pos)

        yield show
