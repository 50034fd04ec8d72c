"""Reads that go from key to key, the same in every view of a read model."""

import asyncio
import time
from contextlib import asynccontextmanager

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ramax
from ramax import CircularRefError, DataError, KeyNotFoundError, NewEvent, Ref
from ramax.core.resolve import resolve
from tests._each import each
from tests._walks import complete, graphs, run

DATA = {
    "deck:d1": {
        "name": "Spanish",
        "cards": {"c1": Ref("card", "c1"), "c.2": Ref("card", "c.2")},
        "tags": [Ref("tag:a"), (Ref("tag:b"), 1)],
        "gone": Ref("gone"),
        "set": {Ref("n1"), 2},
    },
    "card:c1": {"front": "uno", "deck": Ref("deck:d1"), "next": Ref("card:c.2")},
    "card:c.2": {"front": "dos", "deck": Ref("deck:d1")},
    "tag:a": {"label": "A"},
    "tag:b": {"label": "B"},
    "n1": 1,
    "alias": Ref("deck:d1"),
    "loop": Ref("pool"),
    "pool": Ref("loop"),
}
CARD_2 = {"front": "dos", "deck": Ref("deck:d1")}
RESOLVED = {
    "name": "Spanish",
    "cards": {"c1": {"front": "uno", "deck": Ref("deck:d1"), "next": CARD_2}, "c.2": CARD_2},
    "tags": [{"label": "A"}, ({"label": "B"}, 1)],
    "gone": Ref("gone"),
    "set": {1, 2},
}


def fill(state, params):
    """Any values under any keys: the domain below keeps what is in the payload's `is`."""
    return [NewEvent("is", {"is": value}, entity_id=key) for key, value in params.items()]


def of_values():
    domain = ramax.Domain("values")
    domain.applicator("is")(
        lambda state, event: state.__setitem__(event.entity_id, event.payload["is"])
    )
    return domain


@asynccontextmanager
async def view_of(store, kind):
    """The read model of a store, looked at in one of the ways there are."""
    if kind == "store":
        yield store.pstate
    elif kind == "reader":
        async with store.pstate.reader() as reader:
            yield reader
    elif kind == "transaction":
        async with store.transaction() as tx:
            yield tx.pstate
    else:
        async with store.as_of(await store.events.get_space_latest_sequence()) as past:
            yield past.pstate


def in_every_view(test):
    """Run a test on the read model of a filled store, looked at in each way."""

    @pytest.mark.parametrize("kind", ["store", "reader", "transaction", "past"])
    async def looked_at(db, kind):
        store = await db.content_store("acme", of_values())
        await store.execute(fill, DATA)
        async with view_of(store, kind) as view:
            await test(view)

    return looked_at


@in_every_view
async def test_references_are_first_class_when_read_plainly(view):
    assert await view.fetch("deck:d1") == DATA["deck:d1"]
    assert await view.get("alias") == Ref("deck:d1")
    assert await view.get("nothing", 7) == 7
    assert await view.get_many(["n1", "gone", "loop"]) == {"n1": 1, "loop": Ref("pool")}
    with pytest.raises(KeyNotFoundError) as caught:
        await view.fetch("gone")
    assert (caught.value.space, caught.value.key) == ("acme", "gone")


@in_every_view
async def test_references_are_resolved_to_a_depth(view):
    assert await view.get_resolved("deck:d1") == RESOLVED
    assert await view.get_resolved("alias") == RESOLVED
    assert await view.get_resolved("deck:d1", depth=0) == DATA["deck:d1"]
    one = await view.get_resolved("deck:d1", 1)
    assert one["cards"] == {"c1": DATA["card:c1"], "c.2": CARD_2}


@in_every_view
async def test_what_cannot_be_resolved_is_told(view):
    with pytest.raises(CircularRefError) as caught:
        await view.get_resolved("loop")
    assert caught.value.path == ("loop", "pool", "loop")
    with pytest.raises(KeyNotFoundError, match="gone"):
        await view.get_resolved("gone")
    assert await view.get_resolved("gone", default=None) is None
    for bad in (-1, True, 1.5):
        with pytest.raises(DataError, match="depth"):
            await view.get_resolved("deck:d1", depth=bad)
    with pytest.raises(DataError, match="pstate key"):
        await view.get_resolved("")


@in_every_view
async def test_paths_lead_into_values_and_through_references_when_asked(view):
    path = view.get_path
    assert await path("deck:d1", "name") == "Spanish"
    assert await path("deck:d1", "cards.c1") == Ref("card:c1")
    assert await path("deck:d1", "cards.c1.front") is None
    assert await path("deck:d1", "cards.c1.front", default="?") == "?"
    assert await path("deck:d1", "cards.c1.front", "?", follow=True) == "uno"
    assert await path("deck:d1", "cards.c1.next.deck.name", follow=True) == "Spanish"
    assert await path("deck:d1", 'cards["c.2"].front', follow=True) == "dos"
    assert await path("deck:d1", ("cards", "c.2", "front"), follow=True) == "dos"
    assert await path("deck:d1", "tags[1][0].label", follow=True) == "B"
    assert await path("deck:d1", "cards.*.front", follow=True) == ["uno", "dos"]
    assert await path("deck:d1", "$.cards[?@.front > 'e'].front", follow=True) == []
    assert await path("deck:d1", "$.cards[*].front", follow=True) == ["uno", "dos"]
    assert await path("nothing", "x", default=5, follow=True) == 5
    assert await path("nothing", "*") == []
    for bad in ("", "a..b", "$.", None, 5):
        with pytest.raises(DataError, match="path"):
            await path("deck:d1", bad)


async def test_a_resolved_value_is_the_callers_own(db):
    store = await db.content_store("acme", of_values())
    await store.execute(fill, DATA)
    for _ in range(2):
        got = await store.pstate.get_resolved("deck:d1")
        got["cards"]["c1"]["front"] = "mine"
        got["tags"].append("mine")
    assert await store.pstate.get_resolved("deck:d1") == RESOLVED


async def test_references_in_events_come_back_as_such(db):
    store = await db.content_store("acme", of_values())
    commit = await store.execute(fill, DATA)
    assert [event.payload["is"] for event in commit.events] == list(DATA.values())
    await store.rebuild_pstate()
    assert await store.pstate.get_resolved("deck:d1") == RESOLVED


async def test_the_same_keys_of_another_space_are_never_resolved(db):
    mine = await db.content_store("mine", of_values())
    theirs = await db.content_store("theirs", of_values())
    await theirs.execute(fill, {"a": 1, "b": {"secret": True}})
    await mine.execute(fill, {"a": [Ref("b")]})
    assert await mine.pstate.get_resolved("a") == [Ref("b")]
    assert await mine.pstate.get_path("a", "[0].secret", follow=True) is None
    async with mine.pstate.reader() as reader:
        assert await reader.get_resolved("a") == [Ref("b")]
        await reader.preload("a", "*")
        assert await reader.get("b") is None


async def test_a_complete_graph_of_200_is_resolved_in_no_time(db):
    store = await db.content_store("acme", of_values())
    await store.execute(fill, complete(200))
    began = time.process_time()
    got = await store.pstate.get_resolved("n0")
    assert time.process_time() - began < 10  # about 0.1 s; its ways are 199! in number
    assert [link["name"] for link in got["links"]] == [f"n{n}" for n in range(1, 200)]


@settings(max_examples=40, deadline=None)
@given(data=graphs(6), depth=st.one_of(st.none(), st.integers(0, 4)))
def test_resolving_in_the_database_is_resolving_in_memory(data, depth):
    async def there():
        async with ramax.connect() as db:
            store = await db.content_store("acme", of_values())
            await store.execute(fill, data)
            return await store.pstate.get_resolved("k0", depth, default="none")

    try:
        expected = run(resolve("k0", depth), data)[0] if "k0" in data else "none"
    except CircularRefError:
        with pytest.raises(CircularRefError):
            asyncio.run(there())
    else:
        assert asyncio.run(there()) == expected


# -- as of one moment ----------------------------------------------------------------------------


async def move(store, n):
    """Give both ends of a link a new number, in one command."""
    await store.execute(fill, {"a": {"n": n, "b": Ref("b")}, "b": {"n": n}})


@each("times", [0, 1, 2, 5, 100])
async def test_a_resolved_value_is_as_of_one_moment(db, times):
    store = await db.content_store("acme", of_values())
    other = await db.content_store("acme", of_values())
    await move(store, 0)
    real, numbers = store.pstate._reads, iter(range(1, times + 1))

    class Meddling:
        """Reads for real, and commits between the first reads."""

        async def read(self, keys, *, keep=False):
            found = await real.read(keys, keep=keep)
            for n in numbers:
                await move(other, n)
                break
            return found

        async def current(self):
            return await real.current()

    store.pstate._reads = Meddling()
    got = await store.pstate.get_resolved("a")
    assert got["b"] == {"n": got["n"]}
    assert await store.pstate.get_path("a", "b.n", follow=True) >= got["n"]


async def test_resolving_beside_a_writer_never_shows_half_a_command(db):
    store = await db.content_store("acme", of_values())
    await move(store, 0)
    done = asyncio.Event()

    async def write():
        for n in range(1, 60):
            await move(store, n)
        done.set()

    writing = asyncio.create_task(write())
    last = 0
    while not done.is_set():
        got = await store.pstate.get_resolved("a")
        assert got["b"]["n"] == got["n"] >= last
        last = got["n"]
        await asyncio.sleep(0)  # in memory nothing of this waits
    await writing
