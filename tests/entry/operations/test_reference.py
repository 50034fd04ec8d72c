from ramax.entry.operations import OPERATIONS
from tests.entry.operations.reference import PAGE, page


def test_the_page_is_what_the_table_says():
    wanted = "run: python -m tests.entry.operations.reference"
    assert PAGE.read_text(encoding="utf-8") == page(), wanted


def test_the_page_names_every_operation():
    text = page()
    assert [name for name in OPERATIONS if f"| `{name}` |" not in text] == []
