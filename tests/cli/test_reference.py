from tests.cli.reference import PAGE, page
from tests.cli.test_app import COMMANDS


def test_the_page_is_what_the_commands_say():
    assert PAGE.read_text(encoding="utf-8") == page(), "run: python -m tests.cli.reference"


def test_the_page_names_every_command():
    text = page()
    assert [name for name in COMMANDS if f"# ramax {name}\n" not in text] == []
