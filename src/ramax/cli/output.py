"""What commands print: JSON for programs; for people, tables by rich where it is, else in text."""

import json
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any

from ramax.core.json_form import to_json

Cell = str | int | None


def json_text(document: Any) -> str:
    """Write a document of plain JSON in one line, which no character in it breaks.

    ASCII only where stdout is not UTF-8.
    """
    unicode = (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
    text = json.dumps(document, ensure_ascii=not unicode, allow_nan=False)
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else json.dumps(c)[1:-1] for c in text)


def print_json(document: Any) -> None:
    """Print one JSON document."""
    print(json_text(document))


def print_table(head: Sequence[str], rows: Sequence[Sequence[Cell]]) -> None:
    """Print a table; columns of numbers are set to the right."""
    numeric = [all(isinstance(row[at], int) for row in rows) for at in range(len(head))]
    texts = [[_cell(cell) for cell in row] for row in rows]
    if sys.stdout.isatty() and has_rich():
        _print_rich(head, texts, numeric)
        return
    widths = [max(map(len, column)) for column in zip(head, *texts, strict=True)]
    for row in (head, *texts):
        cells = zip(row, widths, numeric, strict=True)
        print("  ".join(c.rjust(w) if n else c.ljust(w) for c, w, n in cells).rstrip())


def print_fields(fields: Sequence[tuple[str, Cell]]) -> None:
    """Print one name and value in each line."""
    width = max(len(name) for name, _ in fields)
    for name, value in fields:
        print(f"{name.ljust(width)}  {_cell(value)}".rstrip())


def value_text(value: Any) -> str:
    """Write a stored value for people: in its JSON form."""
    return json_text(to_json(value))


def printable(text: str) -> str:
    """Escape what would act on a terminal instead of being shown."""
    if text.isprintable():
        return text
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape", "replace").decode() for c in text
    )


def has_rich() -> bool:
    """Say whether the extra `rich` is installed."""
    try:
        import_module("rich")
    except ImportError:
        return False
    return True


def _cell(value: Cell) -> str:
    return "-" if value is None else printable(str(value))


def _print_rich(
    head: Sequence[str], rows: Sequence[Sequence[str]], numeric: Sequence[bool]
) -> None:
    from rich.console import Console  # noqa: PLC0415 - not everybody has it
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    table = Table(box=None, pad_edge=False, header_style="bold")
    for name, number in zip(head, numeric, strict=True):
        table.add_column(name, justify="right" if number else "left", overflow="fold")
    for row in rows:
        table.add_row(*map(Text, row))
    Console().print(table)
