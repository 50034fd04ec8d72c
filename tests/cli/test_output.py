import json

import pytest

from ramax.cli.output import print_fields, print_json, print_table, printable, value_text
from ramax.core.json_form import from_json
from tests.cli.command import on_a_terminal, process, succeed


def test_a_table_is_aligned_and_numbers_are_to_the_right(capsys):
    print_table(["id", "name", "note"], [[1, "a", None], [20, "long name", "x"]])
    assert capsys.readouterr().out.splitlines() == [
        "id  name       note",
        " 1  a          -",
        "20  long name  x",
    ]


def test_a_table_without_rows_is_its_head(capsys):
    print_table(["id", "name"], [])
    assert capsys.readouterr().out == "id  name\n"


def test_fields_are_aligned(capsys):
    print_fields([("a", 1), ("long", None), ("b", "x\ny")])
    assert capsys.readouterr().out == "a     1\nlong  -\nb     x\\ny\n"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain ü ☕", "plain ü ☕"),
        ("\x1b[2J\x07", r"\x1b[2J\x07"),
        ("line\nline\t", r"line\nline\t"),
        ("\u0085\u202e\ud800", r"\x85\u202e\ud800"),
    ],
)
def test_what_acts_on_a_terminal_is_escaped(text, shown):
    assert printable(text) == shown


def test_values_are_json_in_one_line_that_is_safe_for_a_terminal():
    value = {"a": (1, "\x1b\x9b\u2028\U000e0001 ü☕")}
    text = value_text(value)
    assert text == r'{"a": {"$tuple": [1, "\u001b\u009b\u2028\udb40\udc01 ü☕"]}}'
    assert from_json(json.loads(text)) == value


def test_json_is_one_line(capsys):
    print_json({"a": ["ü", "\n", None]})
    text = capsys.readouterr().out
    assert text.count("\n") == 1
    assert json.loads(text) == {"a": ["ü", "\n", None]}


def test_not_a_number_is_never_written_as_json():
    with pytest.raises(ValueError, match="not JSON compliant"):
        print_json(float("nan"))


def test_a_terminal_gets_a_table_by_rich_with_markup_left_as_it_is(demo_file):
    succeed("spaces", "create", "new", "--metadata", '{"a": "[bold]x[/bold]"}', "--url", demo_file)
    shown = on_a_terminal("spaces", "list", "--url", demo_file)
    assert "\x1b[1m" in shown
    assert '{"a": "[bold]x[/bold]"}' in shown


def test_without_rich_a_terminal_gets_plain_text(demo_file):
    shown = on_a_terminal("spaces", "list", "--url", demo_file, missing="rich")
    assert "\x1b" not in shown
    assert "crm_acme" in shown


def test_what_is_no_terminal_gets_plain_text(demo_file):
    shown = process("spaces", "list", "--url", demo_file).stdout
    assert "\x1b" not in shown
    assert shown.splitlines()[0] == "id  space       created                    metadata"
