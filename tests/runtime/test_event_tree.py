import pytest

from ramax.runtime.event_tree import EventNode, read_tree


def shape(node: EventNode):
    """Nested ids: [1, [2, [4]], [3]]; a `...` where it is cut."""
    below = [shape(effect) for effect in node.effects]
    return [node.event.event_id, *below, *([...] if node.cut else [])]


@pytest.fixture
async def log(db):
    """1 causes 2 and 3, 2 causes 4 and 5; 6 has no cause; 7, of another space, is caused by 1."""
    space = await db.spaces.create("s")
    for cause in (None, 1, 1, 2, 2, None):
        await db.events.append(space, "e", "t", {}, causation_id=cause)
    await db.spaces.create("other")
    await db.events.append("other", "e", "t", {}, causation_id=1)
    return db.events


async def tree(db, number, **options):
    event = await db.events.get_event(number)
    return shape(await read_tree(db.events, await db.spaces.get(event.space_id), event, **options))


@pytest.mark.parametrize("number", [1, 2, 3, 5])
async def test_a_tree_is_the_same_from_wherever_it_is_asked_for(db, log, number):
    assert await tree(db, number) == [1, [2, [4], [5]], [3]]


async def test_a_tree_stays_in_its_space(db, log):
    assert await tree(db, 6) == [6]
    assert await tree(db, 7) == [7]
    await log.append("s", "e", "t", {}, causation_id=7)
    assert await tree(db, 8) == [8]
    await log.append("s", "e", "t", {}, causation_id=10**9)  # no event has that id
    assert await tree(db, 9) == [9]


@pytest.mark.parametrize(
    ("most", "wanted"),
    [
        (1, [1, ...]),
        (2, [1, [2, ...], ...]),
        (3, [1, [2, ...], [3]]),
        (4, [1, [2, [4], ...], [3]]),
        (5, [1, [2, [4], [5]], [3]]),
    ],
)
async def test_a_tree_holds_no_more_than_it_may_and_says_so(db, log, most, wanted):
    assert await tree(db, 1, most=most) == wanted


async def test_a_circle_is_walked_once(db, log):
    first = await log.append("s", "e", "t", {}, causation_id=10)
    assert first.event_id == 8
    await log.append("s", "e", "t", {}, causation_id=8)
    await log.append("s", "e", "t", {}, causation_id=9)
    assert (await log.get_event(10)).causation_id == 9
    assert await tree(db, 9) in ([8, [9, [10]]], [9, [10, [8]]], [10, [8, [9]]])
