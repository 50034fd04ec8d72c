"""The spaces that a fork makes of those of another branch, and how they all go."""

from ramax.storage import forking
from tests._tables import dump, without_space


async def test_heads_are_those_of_the_branch_and_forks_stand_where_they_were(db):
    for name, count in (("a", 2), ("b", 1)):
        store = await db.content_store(name)
        for number in range(count):
            await store.kv.put("k", number)
    made = await db.branches.fork("main", "experiment")
    await (await db.content_store("a")).kv.put("k", 9)

    def look(ex):
        return forking.lock_heads(ex, 1), forking.lock_heads(ex, made.branch_id)

    main, forks = await db._core.locked("test", look)
    assert [(h.space_name, h.last_sequence, h.base_sequence) for h in main] == [
        ("a", 3, 0),
        ("b", 1, 0),
    ]
    assert [(h.space_name, h.last_sequence, h.base_sequence) for h in forks] == [
        ("a", 2, 2),
        ("b", 1, 1),
    ]


async def test_emptying_a_branch_takes_every_row_of_it_and_none_of_another(db):
    store = await db.content_store("a")
    await store.kv.put("k", 1)
    await db.spaces.enable_search("a")
    made = await db.branches.fork("main", "experiment")
    before = await dump(db)
    view = db.at_branch("experiment")
    copy = await view.content_store("a")
    await copy.kv.put("k", 2)
    await view.spaces.enable_search("a")
    async with view.subscribe_all("feed", follow=False) as s:
        assert [event async for event in s]
    await db._core.locked("test", lambda ex: forking.empty_branch(ex, made.branch_id))
    after = await dump(db)
    left = {name: [r for r in rows if r.get("space_id", 1) > 0] for name, rows in after.items()}
    assert left == without_space(before, copy.space.space_id)
