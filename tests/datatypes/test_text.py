"""``store.text``: a text that several people edit at once, in spaces, forks and replicas."""

import asyncio
import random
import shutil
import sys
from contextlib import AsyncExitStack
from itertools import product

import pytest

import ramax
from ramax.core.codec import encode
from ramax.core.datatypes import text as rules
from ramax.datatypes import TextInfo, open_texts
from ramax.datatypes.loro_codec import LoroCodec
from ramax.errors import CrdtError, DataError, GapError, MisuseError
from ramax.testing.records import record

NAME = "日本.md"


@pytest.fixture
def text(store):
    return store.text(NAME)


def forget():
    """Let everything be read from what is stored."""
    open_texts.TEXTS._open.clear()


async def test_a_text_is_there_and_empty(text):
    assert await text.get() == ""
    assert await text.version() == b""
    assert await text.history() == []
    assert await text.info() == TextInfo(0, 0, 0)


async def test_a_text_is_edited_by_code_points(text):
    await text.insert(0, "Hello 😀!")
    await text.insert(7, "x")
    assert await text.get() == "Hello 😀x!"
    await text.replace(0, 5, "名")
    await text.delete(2, 1)
    await text.append(".")
    assert await text.get() == "名 x!."
    await text.set("名 y!.")
    forget()
    assert await text.get() == "名 y!."
    assert len(await text.history(limit=3)) == 3


async def test_an_edit_that_changes_nothing_writes_nothing(text):
    await text.append("a")
    for edit in (
        text.append(""),
        text.delete(0, 0),
        text.set("a"),
        text.merge(await text.updates()),
    ):
        assert (await edit).events == ()


async def test_bad_arguments_are_refused_before_anything_is_written(store, text):
    await text.append("abc")
    for call in (
        text.insert(4, "x"),
        text.insert(-1, "x"),
        text.insert(True, "x"),
        text.delete(1, 3),
        text.delete(0, -1),
        text.append("\ud800"),
        text.append(b"x"),
        text.set(None),
        text.merge("x"),
        text.updates("x"),
    ):
        with pytest.raises(DataError):
            await call
    for name in ("", "a/b", "x" * 129, "\0", None):
        with pytest.raises(DataError):
            store.text(name)
    assert await text.get() == "abc"
    assert len(await text.history()) == 1


async def test_bytes_that_nobody_can_read_are_refused(text):
    await text.append("abc")
    good = await text.updates()
    for bad in (b"", b"junk", good[:-1], bytes([*good[:-1], good[-1] ^ 1])):
        with pytest.raises(CrdtError):
            await text.merge(bad)
    with pytest.raises(CrdtError):
        await text.updates(b"junk")
    await text.append("d")
    assert await text.get() == "abcd"


async def test_edits_made_elsewhere_are_merged(text):
    await text.append("shared")
    elsewhere = LoroCodec().open([await text.updates()])
    seen = elsewhere.version()
    await text.insert(0, "here ")
    update = elsewhere.replace(6, 0, " there")
    await text.merge(update)
    assert await text.get() == "here shared there"
    assert elsewhere.merge(await text.updates(seen))
    assert elsewhere.text() == "here shared there"


async def test_the_past_of_a_text_can_be_read(store, text):
    for word in ("one", "two", "three"):
        await text.append(word)
    assert await text.get(as_of=2) == "onetwo"
    assert await text.get(as_of=0) == ""
    assert await store.as_of(1).text(NAME).get() == "one"
    with pytest.raises(DataError):
        await text.get(as_of=4)


async def test_texts_are_edited_in_transactions_and_rolled_back(store, text):
    await text.append("a")
    with pytest.raises(ZeroDivisionError):
        async with store.transaction() as tx:
            await tx.text(NAME).append("lost")
            assert await tx.text(NAME).get() == "alost"
            raise ZeroDivisionError
    async with store.transaction() as tx:
        await tx.text(NAME).append("b")
        await tx.text(NAME).append("c")
    assert await text.get() == "abc"
    forget()
    assert await text.get() == "abc"


async def test_many_edits_at_once_are_all_kept(store, text):
    await asyncio.gather(*(text.insert(0, str(n)) for n in range(20)))
    await asyncio.gather(*(store.text("other").append("x") for _ in range(3)))
    forget()
    assert sorted(await text.get()) == sorted("".join(map(str, range(20))))


async def test_updates_are_packed_and_a_rebuild_comes_to_the_same(store, text, monkeypatch):
    monkeypatch.setattr(rules, "PACK_AT", 8)
    for n in range(20):
        await text.append(f"{n} ")
    wanted = "".join(f"{n} " for n in range(20))
    assert [e.event_type for e in await text.history()].count(rules.PACKED) == 2
    assert await text.info() == TextInfo(len(wanted), 2 + 4, 0)
    assert await text.get(as_of=11) == wanted[: wanted.index("10 ")]
    before = {key: value async for key, value in text._part.under("")}
    await store.rebuild_pstate()
    assert {key: value async for key, value in text._part.under("")} == before
    forget()
    assert await text.get() == wanted
    assert (await store.verify()).ok


async def test_two_connections_edit_one_text(durable_url):
    async with ramax.connect(durable_url) as one, ramax.connect(durable_url) as other:
        texts = [(await db.content_store("acme")).text("t") for db in (one, other)]
        for n in range(6):
            await texts[n % 2].append(str(n))
        assert [await each.get() for each in texts] == ["012345"] * 2


async def test_branches_that_both_edit_a_text_merge_without_a_conflict(db):
    mine = (await db.content_store("acme")).text("t")
    await mine.append("shared")
    await db.branches.fork("main", "draft")
    theirs = (await db.at_branch("draft").content_store("acme")).text("t")
    await mine.insert(0, "mine ")
    await theirs.append(" theirs")
    assert (await mine.get(), await theirs.get()) == ("mine shared", "shared theirs")
    await db.branches.merge("draft", "main")
    assert await mine.get() == "mine shared theirs"
    await db.branches.merge("main", "draft")
    assert await theirs.get() == "mine shared theirs"
    forget()
    assert await theirs.get() == await mine.get() == "mine shared theirs"
    assert not (await db.branches.diff("main", "draft")).spaces


async def test_a_space_that_holds_a_text_is_folded_without_the_library(store, text, monkeypatch):
    await text.append("a")
    events = await text.history()
    forget()
    monkeypatch.setitem(sys.modules, "loro", None)
    await store.rebuild_pstate()
    assert (await store.verify()).ok
    assert await text.history() == events
    with pytest.raises(MisuseError, match=r"ramax\[loro\]"):
        await text.get()


async def test_what_a_replica_wrote_and_nobody_can_read_is_left_out(db):
    store = await db.content_store("acme")
    await store.replica.enable()
    await store.text("t").append("good")
    origin, payload = b"o" * 16, encode({"update": b"junk"}, "payload")
    said = {"event_type": rules.EDITED, "entity_id": "ramax.text:t", "payload": payload}
    result = await store.replica.ingest([record(origin, 1, **said)])
    assert result.accepted == 1
    forget()
    assert await store.text("t").get() == "good"
    assert (await store.text("t").info()).unreadable == 1
    await store.text("t").append("!")
    assert await store.text("t").get() == "good!"


async def test_a_restored_backup_goes_on_as_another_editor(tmp_path, db):
    """B18: what it wrote after the backup is known elsewhere, and it writes something else."""
    server = await db.content_store("acme")
    await server.replica.enable(b"space-uid-of-one")
    path, backup = tmp_path / "device.db", tmp_path / "backup.db"
    async with ramax.connect(path) as device:
        store = await device.content_store("acme")
        await store.replica.enable(b"space-uid-of-one")
        await store.text("t").append("one ")
    shutil.copy(path, backup)
    async with ramax.connect(path) as device:
        store = await device.content_store("acme")
        await store.text("t").append("two ")
        await server.replica.ingest(await records_of(store))
    async with ramax.connect(backup) as device:
        store = await device.content_store("acme")
        await store.text("t").append("three ")
        await store.replica.ingest(await records_of(server), gives_way=True)
        await server.replica.ingest(await records_of(store))
        texts = [await each.text("t").get() for each in (store, server)]
        assert texts[0] == texts[1]
        assert sorted(texts[0].split()) == ["one", "three", "two"]
        assert await rows(store) == await rows(server)
        forget()
        assert await server.text("t").get() == texts[0]


async def records_of(store):
    return [each async for page in store.replica.read({}, 50) for each in page]


async def rows(store):
    return [row async for row in store.part(rules.TEXT).under("")]


async def carry(rng, source, target, *, loses=0.2):
    """Bring what is missing across, in pieces of any order, repeated, some of them lost."""
    since = dict((await target.replica.info()).vector)
    since = {origin: max(0, upto - rng.randrange(3)) for origin, upto in since.items()}
    found = [each async for page in source.replica.read(since, 50) for each in page]
    found += rng.sample(found, min(len(found), 3))
    rng.shuffle(found)
    lost = [each for each in found if rng.random() >= loses]
    try:
        await target.replica.ingest(lost)
    except GapError:
        await target.replica.ingest(found)


@pytest.mark.parametrize("seed", [1, 2, pytest.param(range(3, 40), marks=pytest.mark.nightly)])
async def test_replicas_that_edit_at_once_hold_the_same_bytes(url, seed, monkeypatch):
    monkeypatch.setattr(rules, "PACK_AT", 6)
    for each in (seed,) if isinstance(seed, int) else seed:
        await converge(url, random.Random(each))


async def converge(url, rng):
    """Edit three replicas, exchange now and then, then everything: text and rows are the same."""
    async with AsyncExitStack() as stack:
        first, *more = [url, "sqlite://", "sqlite://"]
        dbs = [await stack.enter_async_context(ramax.connect(each)) for each in (first, *more)]
        name = f"notes-{rng.getrandbits(32)}"
        stores = [await db.content_store(name) for db in dbs]
        uid = None
        for store in stores:
            uid = (await store.replica.enable(uid)).space_uid
        for _ in range(40):
            store = rng.choice(stores)
            if rng.random() < 0.2:
                await carry(rng, *rng.sample(stores, 2))
                continue
            length = len(await store.text("t").get())
            at = rng.randint(0, length)
            if rng.random() < 0.3:
                await store.text("t").delete(at, rng.randint(0, length - at))
            else:
                await store.text("t").insert(at, rng.choice(["a", "日本", "😀 ", "word"]))
        for source, target in [*product(stores[1:], stores[:1]), *product(stores[:1], stores[1:])]:
            await carry(rng, source, target, loses=0)
        texts = [await store.text("t").get() for store in stores]
        stored = [await rows(store) for store in stores]
        assert texts == texts[:1] * 3
        assert stored == stored[:1] * 3
        for store in stores:
            await store.rebuild_pstate()
            assert await rows(store) == stored[0]
            assert (await store.verify()).ok
        forget()
        assert await stores[0].text("t").get() == texts[0]
