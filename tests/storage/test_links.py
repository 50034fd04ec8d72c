import pytest

from ramax.core.entity import Link
from ramax.storage.links import (
    END,
    differing_links,
    read_referrers,
    replace_links,
    set_indexed,
    sync_links,
)
from ramax.storage.reads import read_facts
from tests._counting import stepped

DECK = frozenset({Link("deck", "deck:1")})
BOTH = frozenset({Link("deck", "deck:1"), Link("also", "deck:1"), Link("also", "deck:2")})


@pytest.fixture
async def spaces(db):
    return [(await db.spaces.create(name)).space_id for name in ("a", "b")]


async def locked(db, work):
    return await db._core.locked("a test", work)


async def test_what_a_key_refers_to_is_replaced_as_a_whole_in_its_space_only(db, spaces):
    mine, other = spaces

    def work(ex):
        for space_id in spaces:
            replace_links(ex, space_id, {"card:1": BOTH, "card:2": DECK})
        replace_links(
            ex, mine, {"card:1": frozenset({Link("deck", "deck:3")}), "card:2": frozenset()}
        )
        replace_links(ex, mine, {})
        return [
            [read_referrers(ex, s, f"deck:{n}", limit=9) for n in (1, 2, 3)] for s in (mine, other)
        ]

    assert await locked(db, work) == [
        [[], [], ["card:1"]],
        [["card:1", "card:2"], ["card:1"], []],
    ]


async def test_referrers_come_once_in_key_order_by_page_type_and_field(db, spaces):
    links = dict.fromkeys(("card:2", "card:10", "box:1", "card", "cards:1", "card;"), BOTH)

    def work(ex):
        replace_links(ex, spaces[0], links)

        def read(**options):
            return read_referrers(ex, spaces[0], "deck:1", **{"limit": 9, **options})

        return (
            read(),
            read(limit=2, after="card"),
            read(prefix="card:"),
            read(field="deck", prefix="b"),
            read(field="nothing"),
        )

    everything = ["box:1", "card", "card:10", "card:2", "card;", "cards:1"]
    assert await locked(db, work) == (
        everything, ["card:10", "card:2"], ["card:10", "card:2"], ["box:1"], [],
    )  # fmt: skip


async def test_a_later_page_of_referrers_is_no_more_work_than_the_first(db_on_sqlite):
    space = await db_on_sqlite.spaces.create("a")
    links = dict.fromkeys((f"card:{n:04}" for n in range(1000)), DECK)
    await locked(db_on_sqlite, lambda ex: replace_links(ex, space.space_id, links))
    work = []
    for after in ("", "card:0979"):
        async with stepped(db_on_sqlite) as steps:
            page = await db_on_sqlite._core.read(
                lambda ex, a=after: read_referrers(ex, space.space_id, "deck:1", after=a, limit=20)
            )
        assert len(page) == 20
        work.append(steps.count)
    assert work[1] < 2 * work[0]


async def test_a_range_of_keys_is_made_what_it_should_be(db, spaces):
    def work(ex):
        replace_links(ex, spaces[0], dict.fromkeys("abcd", DECK))
        before = differing_links(ex, spaces[0], "a", "c", {"b": DECK, "bb": DECK})
        sync_links(ex, spaces[0], "a", "c", {"b": DECK, "bb": DECK})
        after = differing_links(ex, spaces[0], "a", "c", {"b": DECK, "bb": DECK})
        some = read_referrers(ex, spaces[0], "deck:1", limit=9)
        sync_links(ex, spaces[0], "c", END, {})
        return before, after, some, read_referrers(ex, spaces[0], "deck:1", limit=9)

    [link] = DECK
    assert await locked(db, work) == (
        ([("c", link)], [("bb", link)]),
        ([], []),
        ["a", "b", "bb", "d"],
        ["a", "b", "bb"],
    )


async def test_a_guard_says_which_fields_the_index_covers(db, spaces):
    def work(ex):
        set_indexed(ex, spaces[0], "card:deck")
        facts = read_facts(ex, dict.fromkeys(spaces, ()))
        return [facts[space_id].guard.indexed for space_id in spaces]

    assert await locked(db, work) == ["card:deck", None]
