import time

import pytest

from ramax.errors import LegacyFormatError
from ramax.legacy import open_source
from ramax.legacy.files import opened
from ramax.legacy.plan import make_plan
from ramax.legacy.stored import StoredRows
from ramax.legacy.tables import find_tables
from tests.migrations.elixir import PLAIN_PSTATE, WITH_SPACES, ElixirFile, event, pstate


@pytest.fixture
def file(tmp_path):
    made = ElixirFile(tmp_path / "old.db", WITH_SPACES)
    made.run("INSERT INTO spaces VALUES (1, 'a', 1700000000, '{\"x\": 1}')")
    made.insert("events", *(event(n, space_id=s, space_sequence=n) for n, s in ((1, 1), (2, 4))))
    made.insert("pstate_entities", *(pstate("k", space_id=s) for s in (1, 4, 6)))
    return made


def test_every_row_has_its_place(file):
    with opened(file.path) as source:
        plan = make_plan(StoredRows(find_tables([source]), ()), "default")
    assert [plan.space_of(stored) for stored in (1, 4, 6)] == [1, 4, None]
    assert plan.home == 0
    assert plan.orphans == {6: 1}
    with pytest.raises(LegacyFormatError, match="must be an integer"):
        plan.space_of(b"1")


def test_a_space_says_where_it_comes_from(file):
    with open_source(file.path) as source:
        first, implied = source.spaces
    assert (first.registered, first.metadata, first.created_at) == (
        True,
        {"x": 1},
        1_700_000_000_000_000,
    )
    assert (implied.space_name, implied.registered, implied.metadata) == (
        "recovered-4",
        False,
        None,
    )
    assert implied.created_at == 1_700_000_000_002_000  # its first event
    assert (implied.event_count, implied.key_count, implied.last_sequence) == (1, 1, 2)


def test_a_space_that_nothing_dates_is_made_now(tmp_path):
    made = ElixirFile(tmp_path / "pstate.db", PLAIN_PSTATE)
    made.insert("pstate_entities", pstate("k"))
    before = time.time_ns() // 1000
    with open_source(made.path) as source:
        (space,) = source.spaces
    assert before <= space.created_at <= time.time_ns() // 1000


def test_a_space_whose_name_is_no_text_is_named(file):
    file.run("UPDATE spaces SET space_name = CAST(x'ff' AS TEXT)")
    with pytest.raises(LegacyFormatError, match="space_name"), open_source(file.path):
        pass
