"""Writes docs/reference/cli.md from the commands themselves: ``python -m tests.cli.reference``."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from ramax.cli.app import ramax

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "cli.md"

INTRODUCTION = """\
# Command line

<!-- Made by `python -m tests.cli.reference`; a test fails where it is not what the commands say. -->

`ramax`, or `python -m ramax`, looks at a database and looks after it. `ramax demo` makes one to try it on.

The database is `--url`, or the variable `RAMAX_DATABASE_URL`: `sqlite:///app.db`, `postgresql://user@host/database`, or the path of a file.
No command but `db upgrade`, `legacy import` and `demo` makes a database. Commands that only read open it so that they cannot change it; programs that
write to it may go on.

{common}

`--json` writes one JSON document; `events export`, and `events tail --json`, write one in each line. Fields have the names that the
library gives them. Payloads, values and metadata are in a form from which every value can be made again, type by type:
[In JSON](wire-format.md#in-json).

| exit code | means |
|---|---|
| 0 | done |
| 1 | it failed, or a check found something; one line on stderr says what, and what to do. `--debug` shows the traceback |
| 2 | wrong usage |
| 130 | interrupted by Ctrl-C; what was not finished is rolled back |
| 141 | the reader closed the pipe, as `head` does |

With the extra `rich`, tables and progress bars are nicer on a terminal; what goes to a file or a pipe is the same with and without it.
"""


def page() -> str:
    """Return the whole page."""
    listing = ramax.commands["spaces"].commands["list"]  # type: ignore[attr-defined]
    common = _table(listing, [option for option in listing.params if _is_common(option)])
    return "\n".join([INTRODUCTION.replace("{common}", common), *_group(ramax, "ramax")])


def _group(group: click.Group, name: str) -> Iterator[str]:
    for each in sorted(group.commands):
        command, path = group.commands[each], f"{name} {each}"
        if isinstance(command, click.Group):
            yield f"## {path}\n\n{_prose(command)}\n"
            yield from _group(command, path)
        else:
            level = "##" if group is ramax else "###"
            yield f"{level} {path}\n\n{_prose(command)}\n\n{_usage(command, path)}"


def _prose(command: click.Command) -> str:
    paragraphs = (command.help or "").split("\n\n")
    return "\n\n".join(
        re.sub(r"(--\w+)", r"`\1`", " ".join(paragraph.split())) for paragraph in paragraphs
    )


def _usage(command: click.Command, path: str) -> str:
    usage = " ".join(command.collect_usage_pieces(click.Context(command, info_name=path)))
    own = [option for option in command.params if not _is_common(option)]
    parts = [f"```text\n{path} {usage}\n```"]
    if any(isinstance(option, click.Option) for option in own):
        parts.append(_table(command, own))
    if not any(option.name == "url" for option in command.params):
        parts.append("It needs no database.")
    return "\n\n".join(parts) + "\n"


def _is_common(option: click.Parameter) -> bool:
    return option.name in {"schema", "debug"} or (option.name == "url" and bool(option.envvar))


def _table(command: click.Command, options: Sequence[click.Parameter]) -> str:
    context = click.Context(command)
    lines = []
    for option in options:
        record = option.get_help_record(context)
        if record is not None:
            names, text = record
            lines.append(f"| `{names}` | {' '.join(text.split())} |")
    return "\n".join(["| option | |", "|---|---|", *lines])


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
