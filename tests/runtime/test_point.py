"""A point is a sequence or a moment that has been; a moment is after the last event before it."""

from datetime import UTC, date, datetime, timedelta

import pytest

import ramax
from ramax import DataError
from ramax.runtime.point import check_point, locate
from ramax.values import from_micros
from tests._domains import add, counter

NAIVE = datetime(2026, 1, 1, tzinfo=UTC).replace(tzinfo=None)
START = 1_700_000_000_000_000
SECOND = 1_000_000


@pytest.mark.parametrize("at", [-1, True, 1.0, "1", None, date(2026, 1, 1), NAIVE])
def test_what_can_be_no_point_is_refused(at):
    with pytest.raises(DataError, match="as_of"):
        check_point(at)


@pytest.fixture
async def ticking():
    """Three events, a second apart."""
    async with ramax.connect() as db:
        clock = iter(range(START, START + 10 * SECOND, SECOND))
        db._core.attempts.clock = lambda: next(clock)
        store = await db.content_store("s", counter())
        for _ in range(3):
            await store.execute(add)
        yield store


async def located(store, at, now=START + 3 * SECOND):
    return await store._core.read(lambda ex: locate(ex, store.space, at, now))


async def test_a_sequence_is_where_its_event_is(ticking):
    micros = [None]
    async for event in ticking.events.stream_space_events():
        micros.append(event.micros)
    assert [await located(ticking, n) for n in range(4)] == list(enumerate(micros))
    with pytest.raises(DataError, match="beyond the newest event, which is 3"):
        await located(ticking, 4)


async def test_a_moment_is_after_the_last_event_that_is_not_later(ticking):
    event = await ticking.events.get_space_latest_sequence()
    assert event == 3
    at = (await located(ticking, 2)).micros
    moment, little = from_micros(at), timedelta(microseconds=1)
    assert [(await located(ticking, m)).sequence for m in (moment - little, moment)] == [1, 2]
    assert (await located(ticking, datetime(2020, 1, 1, tzinfo=UTC))) == (0, None)


async def test_the_future_is_no_point(ticking):
    newest = (await located(ticking, 3)).micros
    for now in (newest - SECOND, newest):  # a clock that went back hides no event
        assert (await located(ticking, from_micros(newest), now)).sequence == 3
        with pytest.raises(DataError, match="in the future"):
            await located(ticking, from_micros(newest + 1), now)
