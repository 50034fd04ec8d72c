from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from ramax import DataError, MisuseError, Query
from ramax.core.query import Search
from ramax.core.selection import BATCH, BEFORE_ALL, check_batch_size, select
from ramax.values import to_micros

NOON = datetime(2024, 2, 29, 12, tzinfo=UTC)


def test_nothing_said_is_everything_in_order():
    found = select()
    assert found.plain
    assert found.searches is None
    assert (found.after, found.upto, found.limit) == (0, 2**63 - 1, 2**63 - 1)
    assert (found.since, found.until, found.batch_size) == (BEFORE_ALL, 2**63 - 1, BATCH)
    assert select(Query(), from_sequence=3, to_sequence=9, limit=2, batch_size=5).plain


@pytest.mark.parametrize(
    "options",
    [{"query": Query(["t"])}, {"reverse": True}, {"from_time": NOON}, {"to_time": NOON}],
)
def test_whatever_has_to_be_searched_for_is_not_plain(options: dict[str, Any]):
    assert not select(**options).plain


def test_times_are_compared_in_microseconds_whatever_their_zone():
    later = NOON.astimezone(timezone(timedelta(hours=5))) + timedelta(microseconds=1)
    found = select(from_time=NOON, to_time=later)
    assert (found.since, found.until) == (to_micros(NOON), to_micros(NOON) + 1)


def test_a_query_gives_its_searches():
    query = Query(tags=["x"]) | Query(["t"])
    assert select(query).searches == query.searches
    assert select(Search(causation_id=4)).searches == (Search(causation_id=4),)


@pytest.mark.parametrize(
    "options",
    [
        {"from_sequence": -1},
        {"to_sequence": "1"},
        {"limit": -1},
        {"batch_size": 0},
        {"from_time": datetime(2024, 1, 1)},  # noqa: DTZ001 - that is the point
        {"to_time": "2024-01-01"},
    ],
)
def test_a_bound_that_breaks_a_rule_is_named(options: dict[str, Any]):
    with pytest.raises(DataError, match=next(iter(options))):
        select(**options)


def test_a_query_is_a_query():
    wrong: Any = ["t"]
    with pytest.raises(MisuseError, match="must be a Query, got list"):
        select(wrong)
    with pytest.raises(DataError, match="at least 1"):
        check_batch_size(0)
