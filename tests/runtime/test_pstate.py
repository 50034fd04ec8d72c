"""`store.pstate` and `db.pstate`: reading the read model, and values that no event wrote."""

import asyncio
from typing import Any

import pytest
from hypothesis import given, settings

import ramax
from ramax import DataError, NewEvent
from ramax.errors import CodecError, KeyNotFoundError, StateReplacedError
from tests._domains import add, counter, delete, documents, put
from tests._each import each
from tests._tables import dump
from tests._values import EVERY_TYPE, UNSTORABLE, same, values

LIMIT = 16 * 1024 * 1024
BAD_KEYS: list[Any] = [
    "",
    None,
    5,
    b"k",
    True,
    1.5,
    "a\x00b",
    "\ud800",
    "é" * 513,
    "x" * 1025,
    ["k"],
    {},
]


async def keys(stream):
    return [key async for key, _ in stream]


@pytest.fixture
async def store(db):
    return await db.content_store("acme", documents())


# -- reading -------------------------------------------------------------------------------------


async def test_fetch_finds_a_key_or_raises(store):
    await store.execute(put, ("a", {"x": 1}))
    assert await store.pstate.fetch("a") == {"x": 1}
    with pytest.raises(KeyNotFoundError) as caught:
        await store.pstate.fetch("b")
    assert isinstance(caught.value, LookupError)
    assert (caught.value.space, caught.value.key) == ("acme", "b")


async def test_get_finds_a_key_or_gives_the_default(store):
    await store.execute(put, ("a", {"x": 1}))
    assert await store.pstate.get("a") == {"x": 1}
    assert await store.pstate.get("b") is None
    marker = object()
    assert await store.pstate.get("b", marker) is marker


async def test_none_is_a_value(db):
    store = await db.content_store("acme")
    await store.pstate.put("nothing", None)
    assert await store.pstate.fetch("nothing") is None
    assert await store.pstate.get("nothing", 5) is None
    assert await store.pstate.get_many(["nothing", "x"]) == {"nothing": None}
    assert [pair async for pair in store.pstate.scan()] == [("nothing", None)]
    assert await store.pstate.count() == 1


async def test_get_many_gives_what_exists_in_the_order_asked_for(store):
    for key in "abc":
        await store.execute(put, (key, {"is": key}))
    found = await store.pstate.get_many(["c", "missing", "a", "c"])
    assert list(found.items()) == [("c", {"is": "c"}), ("a", {"is": "a"})]
    assert await store.pstate.get_many([]) == {}
    assert await store.pstate.get_many(key for key in "ab") == {"a": {"is": "a"}, "b": {"is": "b"}}


async def test_a_deleted_key_is_gone_and_may_come_back(store):
    await store.execute(put, ("a", {"x": 1}))
    await store.execute(delete, "a")
    assert await store.pstate.get("a") is None
    assert await store.pstate.count() == 0
    await store.execute(put, ("a", {"x": 2}))
    assert await store.pstate.fetch("a") == {"x": 2}


async def test_a_value_read_is_the_readers_own(db, store):
    await store.execute(put, ("a", {"tags": ["x"]}))
    for read in (
        lambda: store.pstate.fetch("a"),
        lambda: store.pstate.get("a"),
        lambda: db.pstate.get("acme", "a"),
    ):
        (await read())["tags"].append("mine")
    (await store.pstate.get_many(["a"]))["a"]["tags"].append("mine")
    async for _, value in store.pstate.scan():
        value["tags"].append("mine")
    assert await store.pstate.fetch("a") == {"tags": ["x"]}
    await store.execute(put, ("b", {}))
    assert await store.pstate.fetch("a") == {"tags": ["x"]}


async def test_reads_that_wait_together_are_each_answered_rightly(db):
    stores = [await db.content_store(name, documents()) for name in ("a", "b", "c")]
    for store in stores:
        await store.execute(put, ("k", {"of": store.space.space_name}))
    found = await asyncio.gather(
        *(store.pstate.get(key) for _ in range(20) for store in stores for key in ("k", "none"))
    )
    expected = [v for s in stores for v in ({"of": s.space.space_name}, None)] * 20
    assert found == expected


# -- scanning ------------------------------------------------------------------------------------


async def test_a_scan_is_in_key_order_byte_by_byte(db):
    store = await db.content_store("acme")
    names = ["b", "a", "B", "a:1", "a:10", "a:2", "ä", "\U0001f600", "~", "a b", "z", "\uffff"]
    for name in names:
        await store.pstate.put(name, name)
    assert await keys(store.pstate.scan()) == sorted(names, key=str.encode)
    assert await keys(store.pstate.scan("a")) == ["a", "a b", "a:1", "a:10", "a:2"]
    assert await keys(store.pstate.scan("a:")) == ["a:1", "a:10", "a:2"]
    assert await keys(store.pstate.scan("a:1")) == ["a:1", "a:10"]
    assert await keys(store.pstate.scan("A")) == []
    assert await keys(store.pstate.scan("\U0001f600")) == ["\U0001f600"]
    assert [await store.pstate.count(prefix) for prefix in ("", "a", "a:", "zz")] == [12, 5, 3, 0]


@each("prefix", ["%", "_", "a%", "a_", "*", "[a]", "\\", "'"])
async def test_a_prefix_is_literal(db, prefix):
    store = await db.content_store("acme")
    for key in ("ab", "a%b", "a_b", "%", "_", "*x", "[a]", "\\n", "'q"):
        await store.pstate.put(key, 1)
    expected = sorted(k for k in await keys(store.pstate.scan()) if k.startswith(prefix))
    assert await keys(store.pstate.scan(prefix)) == expected
    assert await store.pstate.count(prefix) == len(expected)


async def test_prefixes_at_the_end_of_the_code_points(db):
    store = await db.content_store("acme")
    last, before_surrogates = "\U0010ffff", "\ud7ff"
    written = [last, last * 2, f"{last}a", before_surrogates, f"{before_surrogates}x", "\ue000"]
    for key in written:
        await store.pstate.put(key, 1)
    assert await keys(store.pstate.scan(last)) == [last, f"{last}a", last * 2]
    found = await keys(store.pstate.scan(before_surrogates))
    assert found == [before_surrogates, f"{before_surrogates}x"]
    assert await store.pstate.count(last * 256) == 0


async def test_a_scan_goes_on_after_a_key_and_stops_at_its_limit(db):
    store = await db.content_store("acme")
    for key in ("a1", "a2", "a3", "b1"):
        await store.pstate.put(key, 1)
    scan = store.pstate.scan
    assert await keys(scan(after="a1")) == ["a2", "a3", "b1"]
    assert await keys(scan("a", after="a1")) == ["a2", "a3"]
    assert await keys(scan("a", after="a0")) == ["a1", "a2", "a3"]
    assert await keys(scan("a", after="b")) == []
    assert await keys(scan(limit=2)) == ["a1", "a2"]
    assert await keys(scan("a", limit=2, after="a1")) == ["a2", "a3"]
    assert await keys(scan(limit=0)) == []
    assert await keys(scan(limit=2**63 - 1)) == ["a1", "a2", "a3", "b1"]


async def test_a_scan_has_no_limit_of_its_own(store):
    def fill(state, params):
        return [NewEvent("doc.put", {"n": n}, entity_id=f"k{n:05}") for n in range(2500)]

    await store.execute(fill)
    found = [pair async for pair in store.pstate.scan()]
    assert [key for key, _ in found] == [f"k{n:05}" for n in range(2500)]
    assert [value["n"] for _, value in found] == list(range(2500))
    assert await keys(store.pstate.scan(limit=1500)) == [f"k{n:05}" for n in range(1500)]
    assert await store.pstate.count() == 2500


async def test_a_rebuild_in_the_middle_of_a_scan_is_noticed(store):
    def fill(state, params):
        return [NewEvent("doc.put", {}, entity_id=f"k{n:05}") for n in range(1500)]

    await store.execute(fill)
    scan = store.pstate.scan()
    assert (await anext(scan))[0] == "k00000"
    await store.rebuild_pstate()
    with pytest.raises(StateReplacedError):
        await keys(scan)
    assert len(await keys(store.pstate.scan())) == 1500


async def test_a_put_in_the_middle_of_a_scan_does_not_disturb_it(store):
    def fill(state, params):
        return [NewEvent("doc.put", {}, entity_id=f"k{n:05}") for n in range(1500)]

    await store.execute(fill)
    scan = store.pstate.scan()
    seen = [(await anext(scan))[0]]
    await store.pstate.put("k99999", 1)
    seen += await keys(scan)
    assert len(seen) == 1501
    assert seen[-1] == "k99999"


async def test_a_command_in_the_middle_of_a_scan_does_not_disturb_it(store):
    def fill(state, params):
        return [NewEvent("doc.put", {}, entity_id=f"k{n:05}") for n in range(1500)]

    await store.execute(fill)
    scan = store.pstate.scan()
    seen = [(await anext(scan))[0]]
    await store.execute(put, ("k99999", {}))
    seen += await keys(scan)
    assert seen == [f"k{n:05}" for n in range(1500)] + ["k99999"]


# -- bad input -----------------------------------------------------------------------------------


async def test_keys_that_break_the_rules_are_refused(db, store):
    await store.execute(put, ("a", {}))
    before = await dump(db)
    for bad in BAD_KEYS:
        for attempt in (
            lambda b=bad: store.pstate.fetch(b),
            lambda b=bad: store.pstate.get(b),
            lambda b=bad: store.pstate.get_many(["a", b]),
            lambda b=bad: store.pstate.put(b, 1),
            lambda b=bad: store.pstate.delete(b),
            lambda b=bad: db.pstate.get("acme", b),
            lambda b=bad: db.pstate.get_many("acme", [b]),
            lambda b=bad: db.pstate.put("acme", b, 1),
            lambda b=bad: db.pstate.delete("acme", b),
        ):
            with pytest.raises(DataError) as caught:
                await attempt()
            assert caught.value.value == bad
            assert caught.value.rule in str(caught.value)
    assert await dump(db) == before
    for longest in ("x" * 1024, "é" * 512, "\U0010ffff" * 256):
        await store.pstate.put(longest, 1)
        assert await store.pstate.fetch(longest) == 1


async def test_prefixes_limits_and_starts_that_break_the_rules_are_refused(db, store):
    for attempt in (
        *(lambda b=b: keys(store.pstate.scan(b)) for b in (None, 5, b"k", "a\x00", "\ud800")),
        *(lambda b=b: keys(store.pstate.scan(after=b)) for b in (None, 5, "a\x00", "\ud800")),
        *(lambda b=b: keys(store.pstate.scan(limit=b)) for b in (-1, 2**63, "1", 1.5, True)),
        *(lambda b=b: store.pstate.count(b) for b in (None, 5, b"k", "a\x00", "\ud800")),
        *(lambda b=b: keys(db.pstate.scan("acme", b)) for b in (None, 5, b"k", "a\x00")),
    ):
        with pytest.raises(DataError):
            await attempt()


@each("wrong", ["text", 5, None, b"keys"])
async def test_get_many_wants_several_keys(db, store, wrong):
    with pytest.raises(DataError):
        await store.pstate.get_many(wrong)
    with pytest.raises(DataError):
        await db.pstate.get_many("acme", wrong)


@each("value", UNSTORABLE)
async def test_values_that_would_not_come_back_are_refused(db, store, value):
    await store.pstate.put("k", 1)
    before = await dump(db)
    for attempt in (
        lambda: store.pstate.put("k", value),
        lambda: store.pstate.put("other", {"deep": [value]}),
        lambda: db.pstate.put("acme", "k", value),
    ):
        with pytest.raises(CodecError, match="pstate value of"):
            await attempt()
    assert await dump(db) == before


async def test_a_value_is_taken_up_to_16_mib_and_not_one_byte_more(store):
    overhead = 5  # bin32 with its length
    await store.pstate.put("k", bytes(LIMIT - overhead))
    assert len(await store.pstate.fetch("k")) == LIMIT - overhead
    with pytest.raises(CodecError, match="16,777,216"):
        await store.pstate.put("k", bytes(LIMIT - overhead + 1))
    assert len(await store.pstate.fetch("k")) == LIMIT - overhead


# -- values --------------------------------------------------------------------------------------


async def test_every_type_comes_back_equal_and_of_its_type(store):
    await store.pstate.put("put", EVERY_TYPE)
    await store.execute(put, ("folded", EVERY_TYPE))
    for key in ("put", "folded"):
        assert same(await store.pstate.fetch(key), EVERY_TYPE)
    await store.rebuild_pstate()
    assert same(await store.pstate.fetch("folded"), EVERY_TYPE)


async def test_values_are_the_same_after_reopening(durable_url):
    for _ in range(2):
        async with ramax.connect(durable_url) as db:
            store = await db.content_store("acme", documents())
            if not await store.pstate.count():
                await store.execute(put, ("folded", EVERY_TYPE))
                await store.pstate.put("put", EVERY_TYPE)
            for key in ("put", "folded"):
                assert same(await store.pstate.fetch(key), EVERY_TYPE)


@settings(max_examples=40, deadline=None)
@given(value=values)
def test_any_nested_value_comes_back(value):
    async def there_and_back():
        async with ramax.connect() as db:
            store = await db.content_store("acme", documents())
            await store.pstate.put("put", value)
            await store.execute(put, ("folded", {"v": value}))
            await store.rebuild_pstate()
            folded = await store.pstate.fetch("folded")
            await store.pstate.put("put", value)
            return await store.pstate.fetch("put"), folded["v"]

    for found in asyncio.run(there_and_back()):
        assert same(found, value)


# -- two databases on one file or server ---------------------------------------------------------


async def test_what_another_database_object_wrote_is_seen_at_once(durable_url):
    async with ramax.connect(durable_url) as here, ramax.connect(durable_url) as there:
        mine = await here.content_store("acme", counter())
        theirs = await there.content_store("acme", counter())
        for number in range(1, 6):
            await mine.execute(add)
            assert await theirs.pstate.fetch("n") == 2 * number - 1
            await theirs.execute(add)
            assert await mine.pstate.fetch("n") == 2 * number
        await theirs.pstate.put("cfg", "a")
        assert await mine.pstate.fetch("cfg") == "a"
        await theirs.pstate.put("cfg", "b")
        assert await mine.pstate.fetch("cfg") == "b"
        await mine.pstate.delete("cfg")
        assert await theirs.pstate.get("cfg") is None
        await mine.pstate.put("cfg", "c")
        await theirs.rebuild_pstate()
        assert await mine.pstate.get("cfg") is None
        assert await keys(mine.pstate.scan()) == ["n"]


async def test_decisions_are_never_made_on_what_another_replaced(durable_url):
    async with ramax.connect(durable_url) as here, ramax.connect(durable_url) as there:
        mine = await here.content_store("acme", counter())
        theirs = await there.content_store("acme", counter())

        def copy(state, params):
            return [NewEvent("added", {"by": state.get("cfg", 0)})]

        await mine.execute(copy)
        for value in (5, 7):
            await theirs.pstate.put("cfg", value)
            commit = await mine.execute(copy)
            assert commit.events[0].payload == {"by": value}
        await theirs.rebuild_pstate()  # drops the put key, appends nothing
        assert (await mine.execute(copy)).events[0].payload == {"by": 0}
        await theirs.pstate.put("cfg", 9)
        await theirs.pstate.delete("cfg")
        assert (await mine.execute(copy)).events[0].payload == {"by": 0}
        assert await theirs.pstate.fetch("n") == 12
