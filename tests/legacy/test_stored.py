from contextlib import contextmanager

import pytest

from ramax.legacy import BadRow
from ramax.legacy.files import opened
from ramax.legacy.stored import StoredRows
from ramax.legacy.tables import find_tables
from tests.migrations.elixir import (
    ALTERED_BY_HAND,
    BEFORE_SPACES,
    PLAIN_PSTATE,
    WITH_SPACES,
    ElixirFile,
    event,
    pstate,
)


@pytest.fixture
def stored(tmp_path):
    @contextmanager
    def of(file, *leave_out):
        with opened(file.path) as source:
            yield StoredRows(find_tables([source]), leave_out)

    return of


@pytest.fixture
def spaced(tmp_path):
    file = ElixirFile(tmp_path / "old.db", WITH_SPACES)
    for event_id, space in ((5, 2), (3, 1), (9, 2)):
        file.insert("events", event(event_id, space_id=space, space_sequence=event_id))
    for space, key in ((2, "b"), (1, "b"), (1, "a")):
        file.insert("pstate_entities", pstate(key, space_id=space))
    return file


def test_rows_come_in_the_order_of_their_keys_and_text_as_bytes(stored, spaced):
    with stored(spaced) as rows:
        assert [row[:3] for row in rows.events()] == [(3, 1, 3), (5, 2, 5), (9, 2, 9)]
        assert [row[:2] for row in rows.values()] == [(1, b"a"), (1, b"b"), (2, b"b")]
        assert list(rows.event_places())[0] == (3, 1, 3, 1_700_000_000_003)
        assert set(rows.value_spaces()) == {(1, b"a"), (1, b"b"), (2, b"b")}


def test_tables_without_spaces_name_none(stored, tmp_path):
    file = ElixirFile(tmp_path / "plain.db", BEFORE_SPACES)
    file.insert("events", event(1))
    file.insert("pstate_entities", pstate("k"))
    with stored(file) as rows:
        assert [row[1:3] for row in rows.events()] == [(None, None)]
        assert [row[0] for row in rows.values()] == [None]
        assert list(rows.spaces()) == list(rows.checkpoints()) == []


def test_rows_are_left_out_by_their_primary_key(stored, spaced, tmp_path):
    out = [BadRow("events", (5,), ""), BadRow("pstate_entities", (1, b"b"), "")]
    with stored(spaced, *out) as rows:
        assert [row[0] for row in rows.events()] == [3, 9]
        assert [row[0] for row in rows.event_places()] == [3, 9]
        assert [row[:2] for row in rows.values()] == [(1, b"a"), (2, b"b")]
        assert len(list(rows.value_spaces())) == 2
    file = ElixirFile(tmp_path / "altered.db", BEFORE_SPACES, ALTERED_BY_HAND)
    file.insert("pstate_entities", pstate("k"), pstate("l"))
    with stored(file, BadRow("pstate_entities", (b"k",), "")) as rows:
        assert [row[1] for row in rows.values()] == [b"l"]


def test_the_highest_id_is_known_though_its_row_is_gone(stored, spaced, tmp_path):
    spaced.run("DELETE FROM events WHERE event_id = 9")
    with stored(spaced) as rows:
        assert rows.highest("events", "event_id") == 9
        assert rows.highest("events", "space_id") == 2
        assert rows.highest("spaces", "space_id") == 0
    file = ElixirFile(tmp_path / "pstate.db", PLAIN_PSTATE)  # a file without sqlite_sequence
    with stored(file) as rows:
        assert rows.highest("pstate_entities", "space_id") == 0
        assert rows.highest("events", "event_id") == 0
