import pytest

from ramax.errors import LegacyFormatError
from ramax.legacy import inspect
from tests.migrations.elixir import (
    ALTERED_BY_HAND,
    BEFORE_SPACES,
    PLAIN_EVENTS,
    PLAIN_PSTATE,
    REGISTRY,
    SPACED_EVENTS,
    SPACED_PSTATE,
    TEXT_EVENTS,
    TEXT_PSTATE,
    WITH_SPACES,
    ElixirFile,
    event,
    pstate,
)

CARDS = PLAIN_PSTATE.replace("pstate_entities", '"the ""cards"""').replace("idx_", "idx_cards_")


@pytest.fixture
def old(tmp_path):
    def make(*schema, name="elixir.db"):
        return ElixirFile(tmp_path / name, *schema)

    return make


@pytest.mark.parametrize(
    ("schema", "form"),
    [
        ([BEFORE_SPACES], "from before spaces"),
        ([TEXT_EVENTS, TEXT_PSTATE], "from before spaces"),
        ([PLAIN_EVENTS], "from before spaces"),
        ([PLAIN_PSTATE], "from before spaces"),
        ([PLAIN_EVENTS, REGISTRY, PLAIN_PSTATE], "whose events have no space yet"),
        ([SPACED_EVENTS, REGISTRY, PLAIN_PSTATE], "whose pstate has none yet"),
        ([SPACED_EVENTS, REGISTRY, SPACED_PSTATE], "an Elixir database with spaces"),
        ([WITH_SPACES], "an Elixir database with spaces"),
        ([BEFORE_SPACES, ALTERED_BY_HAND], "altered by hand"),
    ],
)
def test_each_form_is_told_by_its_columns(old, schema, form):
    assert form in inspect(old(*schema).path).form


@pytest.mark.parametrize(
    ("schema", "rule"),
    [
        (
            "CREATE TABLE orders (id INTEGER); CREATE TABLE people (id)",
            "its tables: orders, people",
        ),
        ("VACUUM", "its tables: none"),
        (
            "CREATE TABLE events (id INTEGER PRIMARY KEY, name TEXT)",
            "no events of any ramax has the columns",
        ),
        ("CREATE VIEW events AS SELECT 1 AS event_id", "no events of any ramax has the columns"),
        (REGISTRY, "holds no table of a Ramax"),
        (
            BEFORE_SPACES + "CREATE TABLE ramax_alembic_version (version_num TEXT)",
            "is a ramax database already",
        ),
        (
            BEFORE_SPACES + "ALTER TABLE events ADD COLUMN audited INTEGER",
            "no events of any ramax has the columns audited",
        ),
    ],
)
def test_a_database_of_something_else_is_refused_by_name(old, schema, rule):
    file = old(schema)
    with pytest.raises(LegacyFormatError, match=rule):
        inspect(file.path)


def test_a_pstate_table_of_another_name_is_found_by_its_columns(old):
    file = old(PLAIN_EVENTS, CARDS)
    file.insert('"the ""cards"""', pstate("a"))
    report = inspect(file.path)
    assert report.key_count == 1
    assert report.encodings == {'the "cards"': {"etf": 1}}


def test_of_two_pstate_tables_the_one_with_rows_is_taken(old):
    for number, filled in enumerate(["pstate_entities", '"the ""cards"""']):
        file = old(BEFORE_SPACES, CARDS, name=f"{number}.db")
        file.insert(filled, pstate("a"))
        assert inspect(file.path).key_count == 1


def test_of_two_pstate_tables_with_rows_one_has_to_be_named(old):
    file = old(BEFORE_SPACES, CARDS)
    file.insert("pstate_entities", pstate("a"))
    file.insert('"the ""cards"""', pstate("a"), pstate("b"))
    with pytest.raises(LegacyFormatError, match="both hold rows of pstate_entities"):
        inspect(file.path)
    assert inspect(file.path, pstate_table='the "cards"').key_count == 2
    assert inspect(file.path, pstate_table="pstate_entities").key_count == 1
    with pytest.raises(LegacyFormatError, match="is in none of the files"):
        inspect(file.path, pstate_table="other")


def test_two_files_that_both_hold_events_are_not_one_database(old):
    first, second = old(BEFORE_SPACES, name="1.db"), old(BEFORE_SPACES, name="2.db")
    first.insert("events", event(1))
    assert inspect(first.path, second.path).event_count == 1
    second.insert("events", event(1))
    with pytest.raises(LegacyFormatError, match="both hold rows of events"):
        inspect(first.path, second.path)
