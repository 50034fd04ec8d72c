from ramax.storage import subscriptions as subs
from ramax.storage.subscriptions import Key

KEY = Key(1, "s")


def stands(ex):
    found = subs.stands(ex, KEY)
    assert found is not None
    return found


async def on(db, *steps):
    """Run steps in one transaction and return what they return."""
    return await db._core.locked("a test", lambda ex: [step(ex) for step in steps])


async def test_a_name_has_one_number_of_partitions(db):
    other = Key(1, "s", 1)
    assert await on(db, lambda ex: subs.add(ex, KEY, 2), lambda ex: subs.add(ex, other, 3)) == [
        2,
        2,
    ]
    assert await on(db, lambda ex: subs.stands(ex, other)) == [None]
    assert await on(db, lambda ex: subs.add(ex, other, 2), lambda ex: subs.add(ex, other, 2)) == [
        2,
        2,
    ]
    assert len((await on(db, lambda ex: subs.listed(ex, 1)))[0]) == 2


async def test_a_lease_is_taken_when_it_is_free_or_over(db):
    def take(me, now):
        return lambda ex: subs.take(ex, KEY, me, now, now + 10)

    found = await on(
        db,
        lambda ex: subs.add(ex, KEY, 1),
        take("a", 100),
        take("b", 105),
        take("a", 105),  # again
        take("b", 114),
        take("b", 115),
        lambda ex: stands(ex)[:2],
        lambda ex: subs.any_owned(ex, 120),
        lambda ex: subs.any_owned(ex, 125),
    )
    assert found == [1, True, False, True, False, True, ("b", 125), True, False]


async def test_only_the_owner_keeps_and_frees_it(db):
    def by(statement, me):
        return lambda ex: ex.run(statement, KEY.params | {"me": me, "until": 50})

    found = await on(
        db,
        lambda ex: subs.add(ex, KEY, 1),
        lambda ex: subs.take(ex, KEY, "a", 1, 9),
        by(subs.keep_lease, "b"),
        by(subs.free_lease, "b"),
        by(subs.keep_lease, "a"),
        lambda ex: stands(ex)[:2],
        by(subs.free_lease, "a"),
        lambda ex: stands(ex)[:2],
    )
    assert found == [1, True, 0, 0, 1, ("a", 50), 1, (None, 0)]


async def test_a_pause_has_a_reason_and_ends_once(db):
    found = await on(
        db,
        lambda ex: subs.add(ex, KEY, 1),
        lambda ex: subs.pause(ex, KEY, 7, subs.Stop(3, 1), "why"),
        lambda ex: subs.pause(ex, KEY, 8, subs.Stop(4, 0), "again"),
        lambda ex: stands(ex)[2:],
        lambda ex: subs.resume(ex, KEY),
        lambda ex: subs.resume(ex, KEY),
        lambda ex: stands(ex)[2:],
        lambda ex: subs.remove(ex, KEY),
        lambda ex: subs.remove(ex, KEY),
    )
    stopped, runs = (7, 3, 1, "why"), (None, None, None, None)
    assert found == [1, True, False, stopped, True, False, runs, True, False]


async def test_the_list_is_of_one_space_or_of_a_branch(db):
    for name in ("a", "b"):
        await db.spaces.create(name)
    await db.branches.create("other")
    elsewhere = (await db.at_branch("other").spaces.create("a")).space_id
    keys = [Key(1, "b"), Key(1, "a"), Key(2, "a"), Key(0, "z"), Key(elsewhere, "a"), Key(-2, "z")]
    await on(db, *(lambda ex, key=key: subs.add(ex, key, 1) for key in keys))
    of_one, of_all, of_other = await on(
        db,
        lambda ex: subs.listed(ex, 1),
        lambda ex: subs.listed_on(ex, 1),
        lambda ex: subs.listed_on(ex, 2),
    )
    assert [tuple(row)[:2] for row in of_other] == [(-2, "z"), (elsewhere, "a")]
    assert [tuple(row)[:2] for row in of_one] == [(1, "a"), (1, "b")]
    assert [tuple(row)[:2] for row in of_all] == [(0, "z"), (1, "a"), (1, "b"), (2, "a")]
