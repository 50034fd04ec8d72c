"""Searching a space: what is found, that it is kept true, and that no other space shows."""

import asyncio
from dataclasses import replace

import pytest

import ramax
from ramax import ALL, DataError, Domain, NewEvent, SpaceNotFoundError
from ramax.core.fulltext.documents import Searched
from ramax.errors import ConflictError, SearchDisabledError
from ramax.runtime import text_search
from ramax.runtime.text_search import Wish
from tests._tables import dump

contacts = Domain("contacts", entity_id=lambda payload: payload["id"])
FIELDS = {"contact:": ["name", "notes"]}


@contacts.applicator("contact.put")
def was_put(state, event):
    state[event.entity_id] = event.payload


@contacts.applicator("contact.gone")
def was_deleted(state, event):
    del state[event.entity_id]


def add(state, payload):
    return [NewEvent("contact.put", payload)]


def remove(state, key):
    return [NewEvent("contact.gone", {"id": key})]


async def opened(db, name="s", **options):
    store = await db.content_store(name, contacts)
    await db.spaces.enable_search(name, fields=FIELDS, **options)
    return store


async def found(store, text, **options):
    return [(hit.type, hit.key) for hit in await store.search(text, **options)]


async def test_every_type_is_found_from_its_commit_on(db):
    store = await opened(db)
    await store.kv.put("k", {"drink": "green tea"})
    await store.json.set("doc", {"title": "Tea ceremony"})
    await store.log.append("note", {"text": "bought tea"})
    await store.execute(add, {"id": "contact:1", "name": "Ada", "notes": "likes tea"})
    kinds = {("kv", "k"), ("json", "doc"), ("log", "1"), ("pstate", "contact:1")}
    assert set(await found(store, "tea")) == kinds
    for kind in kinds:
        assert await found(store, "tea", types=[kind[0]]) == [kind]
    (hit,) = await store.search("green")
    assert (hit.space, hit.snippet) == ("s", "k green tea")
    assert hit.score > 0


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("quick", {"fox", "dog"}),
        ("quick fox", {"fox"}),
        ('"quick brown"', {"fox"}),
        ('"brown quick"', set()),
        ("quick -fox", {"dog"}),
        ("fox OR bear", {"fox", "bear"}),
        ("be*", {"bear"}),
        ("QUICK", {"fox", "dog"}),
        ("uber", {"bear"}),
        ("Über", {"bear"}),
        ("ÜBER", {"bear"}),
        ("東京", {"tower"}),
        ("京タ", {"tower"}),
        ("京東", set()),
        ("タワー", {"tower"}),
        ("-quick", set()),
        ("", set()),
    ],
)
async def test_both_databases_find_the_same(db, text, keys):
    store = await opened(db)
    await store.kv.put_many(
        {
            "fox": "the quick brown fox",
            "dog": "a quick dog",
            "bear": "Über bears",
            "tower": "東京タワーへ行く",
        }
    )
    assert {key for _, key in await found(store, text)} == keys


@pytest.mark.parametrize(
    "text",
    ["a' OR '1'='1", 'tokens:x" OR "', "NEAR(a b)", "x:*|!(&", "\\", "';--", "a\x00b", "\ud800"],
)
async def test_what_is_typed_is_never_syntax(db, text):
    store = await opened(db)
    await store.kv.put("k", "something else")
    assert await found(store, text) == []


async def test_an_index_follows_every_change(db):
    store = await opened(db)
    await store.kv.put("k", "before")
    await store.kv.put("k", "after")
    assert await found(store, "before") == []
    assert await found(store, "after") == [("kv", "k")]
    await store.kv.delete("k")
    assert await found(store, "after") == []
    await store.execute(add, {"id": "contact:1", "name": "Ada"})
    await store.execute(remove, "contact:1")
    assert await found(store, "ada") == []
    await store.json.set("d", {"a": "first"})
    await store.json.set("d", "second", path="$.a")
    assert await found(store, "first") == []
    assert await found(store, "second") == [("json", "d")]


async def test_direct_values_are_found_too(db):
    store = await opened(db)
    await store.pstate.put("contact:9", {"name": "Grace"})
    assert await found(store, "grace") == [("pstate", "contact:9")]
    await store.pstate.delete("contact:9")
    assert await found(store, "grace") == []


async def test_what_is_there_is_indexed_when_a_space_becomes_searched(db):
    seen = []
    db._core.options = replace(db._core.options, page=10)
    store = await db.content_store("s", contacts)
    await store.kv.put_many({f"k{n}": f"old number{n}" for n in range(25)})
    await db.spaces.enable_search("s", fields=FIELDS, progress=lambda p: seen.append(p.done))
    assert len(await found(store, "old", limit=100)) == 25
    assert seen == [10, 20]
    before = await dump(db)
    await db.spaces.enable_search("s", fields=FIELDS)
    assert await dump(db) == before


async def test_another_declaration_makes_the_index_anew(db):
    store = await opened(db)
    await store.kv.put("k", "word")
    await store.json.set("d", "word")
    await db.spaces.enable_search("s", types=["json"])
    assert await found(store, "word") == [("json", "d")]


async def test_who_is_overtaken_is_told_and_the_index_is_whole(db):
    store = await db.content_store("s", contacts)
    await store.kv.put_many({f"k{n}": "word" for n in range(20)})
    calls = [db.spaces.enable_search("s", fields={"a": [str(n)]}) for n in range(3)]
    done = await asyncio.gather(*calls, return_exceptions=True)
    assert all(each is None or isinstance(each, ConflictError) for each in done)
    assert None in done
    assert len(await found(store, "word", limit=100)) == 20


async def test_an_index_that_is_being_made_answers_nothing(db):
    store = await db.content_store("s", contacts)
    await store.kv.put("k", "word")
    filling = text_search._Filling(store.space, Searched(), 10)
    await db._core.locked("test", filling.begin)
    with pytest.raises(SearchDisabledError) as raised:
        await store.search("word")
    assert raised.value.reason == "is still being indexed"
    assert await db.search("word", spaces=ALL) == []
    await db.spaces.enable_search("s")  # as after a crash
    assert await found(store, "word") == [("kv", "k")]


async def test_a_rebuild_makes_the_index_anew(db):
    store = await opened(db)
    await store.execute(add, {"id": "contact:1", "name": "Ada"})
    await store.kv.put("k", "word")
    async with db.connection() as connection, connection.begin():
        await connection.exec_driver_sql("UPDATE search_documents SET text = 'damaged'")
    await store.rebuild_pstate()
    assert (await store.search("ada"))[0].snippet == "Ada"
    assert await found(store, "word") == [("kv", "k")]


async def test_catching_up_indexes_what_was_appended(db):
    store = await opened(db)
    await store.events.append("contact:1", "contact.put", {"id": "contact:1", "name": "Ada"})
    assert await found(store, "ada") == [("pstate", "contact:1")]


async def test_a_transaction_that_is_rolled_back_leaves_no_text(db):
    store = await opened(db)
    with pytest.raises(RuntimeError):
        async with store.transaction() as tx:
            await tx.kv.put("k", "word")
            raise RuntimeError
    assert await found(store, "word") == []
    async with store.transaction() as tx:
        await tx.kv.put("k", "word")
    assert await found(store, "word") == [("kv", "k")]


async def test_another_process_keeps_the_index(durable_url):
    async with ramax.connect(durable_url) as one, ramax.connect(durable_url) as two:
        theirs = await two.content_store("s", contacts)
        await theirs.kv.put("warm", "cached guard")
        store = await opened(one)
        await theirs.kv.put("k", "word")
        assert await found(store, "word") == [("kv", "k")]
        await one.spaces.disable_search("s")
        await theirs.kv.put("k", "other")
        with pytest.raises(SearchDisabledError):
            await theirs.search("other")


async def test_pages_of_an_answer_fit_together(db):
    store = await opened(db)
    await store.kv.put_many({f"k{n:02}": "same " * (n + 1) for n in range(12)})
    whole = await found(store, "same", limit=12)
    pages = [await found(store, "same", limit=5, offset=at) for at in (0, 5, 10)]
    assert [hit for page in pages for hit in page] == whole
    assert len(set(whole)) == 12


async def test_no_other_space_shows_and_none_counts(db):
    mine, alone = await opened(db, "mine"), await opened(db, "alone")
    for store in (mine, alone):
        await store.kv.put_many({"a": "rare word", "b": "common word", "c": "more of it"})
    theirs = await opened(db, "theirs")
    await theirs.kv.put_many({f"t{n}": "rare rare secret" for n in range(50)})
    assert await found(mine, "secret") == []
    hits = [await store.search("rare OR word", limit=100) for store in (mine, alone)]
    assert [(h.key, h.score) for h in hits[0]] == [(h.key, h.score) for h in hits[1]]


async def test_several_spaces_are_searched_when_they_are_named(db):
    for name in ("a", "b", "c"):
        store = await opened(db, name)
        await store.kv.put("k", f"word {name}")
    await db.spaces.get_or_create("silent")
    assert [h.space for h in await db.search("word", spaces=["a", "c"])] == ["a", "c"]
    hits = await db.search("word", spaces=ALL)
    assert [h.space for h in hits] == ["a", "b", "c"]
    assert hits[0].score == pytest.approx(1 / 61)
    assert [h.space for h in await db.search("word", spaces=ALL, limit=1, offset=1)] == ["b"]
    with pytest.raises(SearchDisabledError, match="silent"):
        await db.search("word", spaces=["a", "silent"])
    with pytest.raises(SpaceNotFoundError):
        await db.search("word", spaces=["missing"])
    with pytest.raises(DataError, match="spaces"):
        await db.search("word", spaces="a")


async def test_a_deleted_space_leaves_no_text(db):
    await opened(db, "gone")
    store = await opened(db, "stays")
    await store.kv.put("k", "word")
    await (await db.content_store("gone")).kv.put("k", "word")
    await db.spaces.delete("gone", force=True)
    assert await found(store, "word") == [("kv", "k")]
    names = {row["key"] for row in (await dump(db))["search_documents"]}
    assert len(names) == 1
    again = await db.content_store("gone")
    await db.spaces.enable_search("gone")
    assert await found(again, "word") == []


async def test_a_space_that_is_not_searched_says_how(db):
    store = await db.content_store("s", contacts)
    with pytest.raises(SearchDisabledError, match="enable_search"):
        await store.search("x")
    assert await store.at("unregistered").search("x") == []


async def test_text_and_vector_are_fused_by_rank(db):
    store = await opened(db)
    await store.kv.put_many({"a": "tea", "b": "tea and more tea", "c": "coffee"})
    await store.vectors.create_collection("v", 2)
    await store.vectors.upsert_many("v", [("c", [1, 0]), ("b", [0.9, 0.1]), ("z", [0, 1])])
    hits = await store.search("tea", collection="v", vector=[1, 0])
    assert (hits[0].type, hits[0].key) == ("kv", "b")
    assert {(h.type, h.key) for h in hits[1:]} == {("kv", "a"), ("vectors", "c"), ("vectors", "z")}
    assert hits == sorted(hits, key=lambda h: -h.score)
    assert await store.search("tea", collection="v", vector=[1, 0], limit=2, offset=1) == hits[1:3]
    with pytest.raises(DataError, match="collection"):
        await store.search("tea", vector=[1, 0])


@pytest.mark.parametrize(
    "options",
    [{"limit": 0}, {"limit": 1001}, {"offset": -1}, {"limit": True}, {"types": "kv"},
     {"types": ["cells"]}],
)  # fmt: skip
def test_a_wrong_bound_or_type_is_refused(options):
    with pytest.raises(DataError):
        Wish.of("x", **{"types": None, "limit": 10, "offset": 0} | options)
