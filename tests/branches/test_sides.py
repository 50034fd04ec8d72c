"""What each side has that the other does not know, by knowledge and not by age."""

import pytest

from ramax.branches.sides import Chosen, LogSide, SpaceSides
from ramax.core.merging.knowledge import Origin
from ramax.core.merging.things import Thing
from ramax.storage import merges
from ramax.storage.merges import COPIED, SETTLED
from tests._domains import documents, put

NOW = 1_800_000_000_000_000


@pytest.fixture
async def two(db):
    """`b` holds copies of the first two events of `a`, the second in place of its own."""
    a, b = [await db.content_store(name, documents()) for name in "ab"]
    for key in ("x", "y", "x"):
        await a.execute(put, [key, {"of": "a"}])
    for key, of in [("y", "b"), ("z", "b"), ("x", "a"), ("y", "a"), ("x", "b")]:
        await b.execute(put, [key, {"of": of}])
    ids = a.space.space_id, b.space.space_id
    rows = [(3, Origin(ids[0], 1), COPIED), (4, Origin(ids[0], 2), SETTLED)]
    await db._core.locked("test", lambda ex: merges.record(ex, ids[1], rows, {}, 4, NOW))
    return a.space, b.space


async def read(db, two, look, chosen=None):
    def work(ex):
        a, b = (LogSide(ex, space, head) for space, head in zip(two, (3, 5), strict=True))
        return look(SpaceSides(a, b, chosen)), look(SpaceSides(b, a, chosen))

    return await db._core.read(work)


@pytest.mark.parametrize("chosen", [None, [Chosen("x"), Chosen("y"), Chosen("z")]])
async def test_copies_are_known_and_so_is_what_they_settled(db, two, chosen):
    there, back = await read(
        db, two, lambda s: [(r.event.space_sequence, r.known) for r in s.source], chosen
    )
    assert there == [(1, True), (2, True), (3, False)]
    assert back == [(1, True), (2, False), (3, True), (4, True), (5, False)]


async def test_touched_is_what_the_other_side_does_not_hold(db, two):
    there, back = await read(db, two, lambda s: s.touched)
    assert there == {Thing("entity", "z"): {2}, Thing("entity", "x"): {5}}
    assert back == {Thing("entity", "x"): {3}}


async def test_only_what_was_chosen_is_read(db, two):
    there, _ = await read(
        db, two, lambda s: ([r.event.entity_id for r in s.source], s.touched), [Chosen("y")]
    )
    assert there == (["y"], {})


async def test_what_the_target_knows_up_to_is_not_read_at_all(db, two):
    a, b = two
    await db._core.locked(
        "test", lambda ex: merges.record(ex, b.space_id, [], {a.space_id: 2}, 6, NOW)
    )
    there, back = await read(db, two, lambda s: [r.event.space_sequence for r in s.source])
    assert (there, back) == ([3], [1, 2, 3, 4, 5])


async def test_histories_are_those_of_each_side(db, two):
    there, _ = await read(db, two, lambda s: (s.source_history("x"), s.target_history("x")))
    assert [[e.payload["of"] for e in each] for each in there] == [["a", "a"], ["a", "b"]]
    assert (await read(db, two, lambda s: s.space)) == ("b", "a")
