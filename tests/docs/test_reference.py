"""The reference says what the code says: errors, arguments, limits, tables, public names."""

import ast
import inspect
import re
from collections.abc import Iterator

import pytest
from sqlalchemy.dialects import postgresql, sqlite

import ramax
from ramax.core import limits
from ramax.errors import RamaxError
from ramax.legacy import BadRow, BadRowsError, ImportConflictError
from ramax.storage.tables import VERSION_TABLE, build_tables
from tests.docs.documents import DOCS, anchors, table

ERRORS = table(DOCS / "reference/errors.md", "## All errors")
TABLES = [t.name for t in build_tables("sqlite").metadata.sorted_tables]


def below(error: type[RamaxError], depth: int = 0) -> Iterator[tuple[str, type[RamaxError]]]:
    yield "· " * depth + f"`{error.__name__}`", error
    for kind in error.__subclasses__():
        # the demo of the command line has errors of its own, as an application does
        if re.match(r"ramax\.(?!cli\.)", kind.__module__):
            yield from below(kind, depth + 1)


ALL = dict(below(RamaxError))

EXAMPLES: dict[type[RamaxError], list[object]] = {
    BadRowsError: [[BadRow("events", (1,), "x")]],
    ImportConflictError: [{"x": "x"}],
}
"""Arguments of those that do not take just any text."""


def test_every_error_is_listed_in_its_place() -> None:
    assert sorted(name for name, *_ in ERRORS) == sorted(ALL)


@pytest.mark.parametrize("row", ERRORS, ids=lambda row: row[0].strip("· `"))
def test_an_error_is_described_as_it_is(row: list[str]) -> None:
    name, code, retry, fields, when = row
    error = ALL[name]
    assert code == f"`{error.code}`"
    assert retry == ("yes" if error.retryable else "no")
    assert when
    parameters = list(inspect.signature(error.__init__).parameters.values())[1:]
    wanted = [p.name for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD]
    made = error(*EXAMPLES.get(error, ["x" for _ in wanted]))
    documented = re.findall(r"`(\w+)`", fields)
    assert [each for each in documented if not hasattr(made, each)] == []
    assert [each for each in wanted if hasattr(made, each) and each not in documented] == []


def test_every_argument_of_connect_is_listed_with_its_default() -> None:
    parameters = inspect.signature(ramax.connect).parameters.values()
    wanted = {p.name: None if p.kind is p.VAR_KEYWORD else p.default for p in parameters}
    listed = table(DOCS / "reference/configuration.md", "## Arguments of connect")
    defaults = [ast.literal_eval(default.strip("`") or "None") for _, default, _ in listed]
    assert dict(zip([name.strip("`") for name, *_ in listed], defaults, strict=True)) == wanted


def test_the_limits_are_those_of_the_code() -> None:
    listed = table(DOCS / "reference/configuration.md", "## Limits")
    found = {name.strip("`"): ast.literal_eval(value.strip("`")) for _, value, name in listed}
    assert found == {n: getattr(limits, n) for n in dir(limits) if n.startswith("MAX_")}


def test_every_table_is_described() -> None:
    described = anchors(DOCS / "reference/schema.md") - {"tables"}
    assert described == {name.replace(" ", "-") for name in [*TABLES, VERSION_TABLE]}


@pytest.mark.parametrize("name", TABLES)
def test_the_columns_are_those_of_the_code(name: str) -> None:
    kinds = {
        kind: (lite.strip("`"), server.partition(":")[0].strip("`"))
        for kind, lite, server in table(DOCS / "reference/schema.md", "# Tables")
    }
    listed = [
        (column.strip("`"), *kinds[kind], null == "yes")
        for column, kind, null, _ in table(DOCS / "reference/schema.md", f"## {name}")
    ]
    pairs = zip(
        build_tables("sqlite").metadata.tables[name].columns,
        build_tables("postgresql").metadata.tables[name].columns,
        strict=True,
    )
    assert listed == [
        (
            here.name,
            here.type.compile(sqlite.dialect()),
            there.type.compile(postgresql.dialect()),
            here.nullable and there.nullable,
        )
        for here, there in pairs
    ]


def test_the_api_page_shows_every_public_name_that_is_no_error() -> None:
    shown = re.findall(r"^::: ([\w.]+)$", (DOCS / "reference/api.md").read_text(), re.MULTILINE)
    for path in shown:
        module, _, name = path.rpartition(".")
        found = __import__(module, fromlist=[name])
        assert hasattr(found, name), path
    wanted = {n for n in ramax.__all__ if not is_error(getattr(ramax, n))}
    assert wanted == {path.removeprefix("ramax.") for path in shown if path.count(".") == 1}


def is_error(value: object) -> bool:
    return isinstance(value, type) and issubclass(value, BaseException)
