import tomllib
from importlib.metadata import entry_points

import click
import pytest

from ramax.cli import main
from ramax.cli.app import ramax
from tests.cli.command import ROOT, on, process, run


def commands(group: click.Group, *path: str):
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, *path, name)
        else:
            yield " ".join([*path, name]), command


COMMANDS = dict(commands(ramax))
WITHOUT_DATABASE = {"db history", "legacy inspect", "legacy import", "demo"}


def test_these_are_the_commands():
    assert {
        "db upgrade",
        "db downgrade",
        "db current",
        "db history",
        "db check",
        "spaces list",
        "spaces show",
        "spaces create",
        "spaces rename",
        "spaces delete",
        "spaces stats",
        "events tail",
        "events show",
        "events export",
        "pstate get",
        "pstate scan",
        "rebuild",
        "verify",
        "legacy inspect",
        "legacy import",
        "demo",
    } <= set(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_and_the_common_options(name):
    command = COMMANDS[name]
    assert command.help
    options = {option for parameter in command.params for option in parameter.opts}
    assert "--debug" in options
    if name not in WITHOUT_DATABASE:
        assert {"--url", "--schema"} <= options
        shown = run(*name.split(), "--help").stdout
        assert "RAMAX_DATABASE_URL" in shown


READING = ["current", "history", "check", "list", "show", "stats", "tail", "get", "scan"]


@pytest.mark.parametrize("name", [n for n in COMMANDS if n.split()[-1] in {*READING, "verify"}])
def test_every_reading_command_writes_json(name):
    assert "--json" in {option for p in COMMANDS[name].params for option in p.opts}


def test_wrong_usage_is_code_2():
    assert run("nothing").exit_code == 2
    assert run("spaces", "show").exit_code == 2
    assert run("spaces", "list", "--nothing").exit_code == 2
    done = run("spaces", "list")
    assert done.exit_code == 2
    assert "RAMAX_DATABASE_URL" in done.stderr


def test_the_installed_script_is_the_command():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["scripts"] == {"ramax": "ramax.cli:main"}
    for script in entry_points(group="console_scripts", name="ramax"):
        assert script.load() is main


def test_text_that_the_terminal_has_no_letters_for_is_escaped(sqlite_url):
    on(sqlite_url, lambda db: db.spaces.create("new", {"a": "ü☕"}))
    listing = ("spaces", "list", "--url", sqlite_url)
    for encoding, form, written in (
        ("ascii", (), r'{"a": "\u00fc\u2615"}'),
        ("ascii", ("--json",), r'{"a": "\u00fc\u2615"}'),
        ("utf-8", (), '{"a": "ü☕"}'),
    ):
        done = process(*listing, *form, env={"PYTHONIOENCODING": encoding})
        assert (done.returncode, done.stderr) == (0, "")
        assert written in done.stdout
