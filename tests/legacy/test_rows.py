import pytest
import sqlalchemy as sa

from ramax.core import erlang
from ramax.core.codec import encode
from ramax.errors import LegacyFormatError
from ramax.legacy import rows
from ramax.legacy.rows import event_of, format_of, metadata_of, value_of
from ramax.storage import old_tables

ROW = (1, b"e:1", b"done", b"\x83a\x01", 1_700_000_000_123, 7, b"c", 1_700_000_000)


@pytest.mark.parametrize(
    ("stored", "tag"),
    [
        (b"\x83a\x01", "etf"),
        (b"\x83P\x00\x00\x00\x02", "etf"),
        (b"\x83t\x00\x00\x00\x00", "etf"),
        (b'{"a": 1}', "json"),
        (b'"text"', "json"),
        (b"-1.5", "json"),
        (b"null", "json"),
        (b" [1]", "json"),
        (encode({"a": 1}, "v"), "msgpack"),
        (encode({"a": 1, "b": 2, "c": 3}, "v"), "msgpack"),
        (encode([1], "v"), "msgpack"),
        (b"", "msgpack"),
        (b"\x83", "msgpack"),
    ],
)
def test_the_format_is_told_from_the_first_bytes_as_the_upgrade_tells_it(stored, tag):
    assert format_of(stored) == tag
    told = old_tables.format_of(sa.literal(stored, sa.LargeBinary), "sqlite")
    with sa.create_engine("sqlite://").connect() as connection:
        assert connection.scalar(sa.select(told)) == tag


def test_times_become_microseconds_and_text_becomes_text():
    assert event_of(ROW, 3, 9) == (
        *(1, 3, 9, "e:1", "done", b"\x83a\x01", "etf", 1_700_000_000_123_000),
        *(7, "c", 1_700_000_000_000_000),
    )
    assert value_of((b"k", b"1", 5), 3) == (3, "k", b"1", "json", 5_000_000)


def test_what_may_be_missing_may_be_missing():
    event = event_of((*ROW[:5], None, None, None), 1, 1)
    assert (event.causation_id, event.correlation_id, event.created_at) == (None, None, None)
    assert value_of((b"k", b"1", None), 1).updated_at is None


@pytest.mark.parametrize("column", [0, 1, 2, 3, 4])
def test_what_has_to_be_there_has_to_be_there(column):
    row = [*ROW]
    row[column] = None
    with pytest.raises(LegacyFormatError):
        event_of(tuple(row), 1, 1)


@pytest.mark.parametrize("moment", [-62_135_596_800_000, 253_402_300_799_999])
def test_times_reach_from_the_year_1_to_9999(moment):
    assert event_of((*ROW[:4], moment, *ROW[5:]), 1, 1).timestamp == moment * 1000
    beyond = moment + (1 if moment > 0 else -1)
    with pytest.raises(LegacyFormatError, match="years 1 to 9999"):
        event_of((*ROW[:4], beyond, *ROW[5:]), 1, 1)


@pytest.mark.parametrize(
    ("stored", "metadata"),
    [
        (None, None),
        (b"null", None),
        (b"", None),
        (b"{}", {}),
        (b'{"seats": 9007199254740993}', {"seats": 9007199254740993}),
        (b"[1]", {"value": [1]}),
        (b"0", {"value": 0}),
    ],
)
def test_metadata_is_a_map_or_kept_under_a_name(stored, metadata):
    assert metadata_of(stored) == metadata


@pytest.mark.parametrize("stored", [b"{", b"\xff", b'"\\ud800"', b"[" * 100_000, 5])
def test_metadata_that_cannot_be_kept_is_refused(stored):
    with pytest.raises(LegacyFormatError, match="metadata"):
        metadata_of(stored)


def test_the_upgrade_and_the_import_know_every_tag_that_can_be_decoded():
    compressed = 80
    assert set(old_tables._ETF_TAGS) == rows._ETF_TAGS
    assert erlang._TAGS.keys() | {compressed} <= rows._ETF_TAGS
