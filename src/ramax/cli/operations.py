"""The table of operations as commands: `ramax kv`, `log`, `cells`, `json`, `tree`, …."""

import json
from collections.abc import Callable, Iterator
from typing import Any, Final

import click

from ramax.cli.failures import Group
from ramax.cli.output import print_json
from ramax.cli.session import reading, writing
from ramax.core.json_form import from_json, to_json
from ramax.entry.operations import OPERATIONS
from ramax.entry.operations.operation import Operation, Parameter

_ABOUT: Final = {
    "kv": "Values under keys.",
    "log": "Typed entries, numbered and chained by hashes.",
    "cells": "Named values that count their versions.",
    "json": "JSON documents.",
    "vectors": "Collections of vectors.",
    "tree": "Trees of nodes with properties.",
    "text": "Texts that several people edit at once.",
    "search": "The texts of a space that is searched.",
}
_TAIL: Final = "Values are given as JSON, and answers are JSON."


class JsonText(click.ParamType[Any]):
    """A value in its JSON form."""

    name = "json"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Read the text."""
        if not isinstance(value, str):
            return value
        try:
            return from_json(json.loads(value))
        except ValueError as error:
            self.fail(f"{value!r} is not JSON ({error}); text is quoted: '\"text\"'", param, ctx)


def groups() -> Iterator[Group]:
    """Make a group of commands for each data type."""
    for name, about in _ABOUT.items():
        group = Group(name, help=f"{about} {_TAIL}")
        for operation in OPERATIONS.values():
            if operation.group == name:
                _add(group, operation)
        yield group


def _add(group: Group, operation: Operation) -> None:
    async def run(db: Any, space: str, as_json: bool, **given: Any) -> None:  # noqa: FBT001
        del as_json  # there is no other form
        arguments = {name: value for name, value in given.items() if value is not None}
        for parameter in operation.takes:
            if parameter.kind == "bool" and not arguments.get(parameter.name):
                arguments.pop(parameter.name, None)
        print_json(to_json(await db.call({"type": operation.name, "space": space, **arguments})))

    command = (writing if operation.writes else reading)(run)
    for parameter in reversed(operation.takes):
        command = _decorator(parameter)(command)
    space = click.option("--space", default="default", show_default=True, help="The space.")
    name = operation.verb.replace("_", "-")
    as_json = click.option("--json", "as_json", is_flag=True, help="JSON, which it is anyway.")
    group.command(name, help=operation.about)(space(as_json(command)))


def _decorator(parameter: Parameter) -> Callable[[Any], Any]:
    kind: Any = {"text": click.STRING, "texts": click.STRING, "int": click.INT}.get(
        parameter.kind, click.STRING if parameter.kind == "time" else JsonText()
    )
    if parameter.required:
        several = parameter.kind == "texts"
        return click.argument(parameter.name, type=kind, nargs=-1 if several else 1, required=True)
    option = f"--{parameter.name.replace('_', '-')}"
    if parameter.kind == "bool":
        return click.option(option, is_flag=True, help=parameter.about)
    return click.option(option, type=kind, help=parameter.about)
