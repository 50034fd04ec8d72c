from datetime import UTC, datetime, timedelta

import click
import pytest
from click.testing import CliRunner

from ramax.cli.criteria import EVERY_EVENT, Criteria, criteria, criteria_options
from ramax.core.query import Query
from ramax.errors import DataError
from ramax.values import Event

NOON = datetime(2024, 2, 29, 12, tzinfo=UTC)
EVENT = Event(1, 1, 1, "e", "t", {}, NOON, tags=("x", "y"))


@pytest.mark.parametrize(
    ("wanted", "fits"),
    [
        (EVERY_EVENT, True),
        (Criteria(Query(["t"], ["e"], ["x"])), True),
        (Criteria(Query(["u"])), False),
        (Criteria(Query(), NOON), False),
        (Criteria(Query(), NOON - timedelta(microseconds=1), NOON), True),
        (Criteria(Query(), None, NOON - timedelta(microseconds=1)), False),
    ],
)
def test_an_event_fits_where_every_condition_does(wanted, fits):
    assert wanted.fit(EVENT) is fits


def said(*arguments: str) -> Criteria:
    found = []

    @click.command()
    @criteria_options
    def command(**options):
        found.append(criteria(options))

    CliRunner().invoke(command, arguments, catch_exceptions=False, standalone_mode=False)
    return found[0]


def test_the_options_make_a_query_and_times():
    assert said() == EVERY_EVENT
    wanted = said("--type", "a", "--type", "b", "--entity", "e", "--tag", "x", "--tag", "y")
    assert wanted == Criteria(Query(["a", "b"], ["e"], ["x", "y"]))
    assert said("--since", "2024-02-29T12:00", "--until", "2024-02-29T17:00+05:00") == Criteria(
        Query(), NOON, NOON
    )


def test_what_cannot_be_a_tag_is_told():
    with pytest.raises(DataError, match="tags of a query"):
        said("--tag", "x" * 300)
