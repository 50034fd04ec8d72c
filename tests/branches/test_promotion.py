"""Promoting entities: in order, caused by the originals, once, and nothing overwritten."""

import asyncio

import pytest

import ramax
from ramax import Domain, NewEvent
from ramax.core.merging.conflicts import MergeConflict
from ramax.errors import (
    DataError,
    DomainMismatchError,
    FoldError,
    MergeConflictError,
    MisuseError,
    NestedTransactionError,
    SpaceNotFoundError,
)
from tests._domains import documents, put

DOCUMENTS = documents()


@pytest.fixture
async def two(db):
    return [await db.content_store(name, DOCUMENTS) for name in ("staging", "production")]


async def state(store):
    return {key: value async for key, value in store.pstate.scan()}


async def test_the_chosen_entities_go_over_in_order_with_their_cause(db, two):
    staging, production = two
    await production.execute(put, ["other", {"n": 0}])
    await staging.execute(put, ["page:1", {"n": 1}], correlation_id="request")
    await staging.execute(put, ["page:2", {"n": 2}])
    await staging.events.append(
        "page:1", "doc.put", {"n": 3}, metadata={"by": "me"}, tags=["draft"]
    )
    done = await db.spaces.promote(staging, production, ["page:1"])
    assert (done.space, done.copied, done.made, done.space_sequence) == ("production", 2, 0, 3)
    assert await state(production) == {"other": {"n": 0}, "page:1": {"n": 3}}
    originals = await staging.events.get_events("page:1")
    copies = await production.events.get_events("page:1")
    assert [c.causation_id for c in copies] == [o.event_id for o in originals]
    same = ("payload", "event_type", "correlation_id", "metadata", "tags", "version")
    for copy, original in zip(copies, originals, strict=True):
        assert [getattr(copy, n) for n in same] == [getattr(original, n) for n in same]
    assert (await production.verify()).findings == ()


async def test_promoting_again_takes_over_only_what_is_new(db, two):
    staging, production = two
    await staging.execute(put, ["page:1", {"n": 1}])
    await db.spaces.promote(staging, production, ["page:1"])
    again = await db.spaces.promote(staging, production, ["page:1"])
    assert not again.changed
    await staging.execute(put, ["page:1", {"n": 2}])
    assert (await db.spaces.promote(staging, production, ["page:1"])).copied == 1
    assert await production.pstate.fetch("page:1") == {"n": 2}
    back = await db.spaces.promote(production, staging, ["page:1"])
    assert not back.changed


async def test_an_entity_that_the_target_changed_since_is_a_conflict(db, two):
    staging, production = two
    await staging.execute(put, ["page:1", {"n": 1}])
    await staging.execute(put, ["page:2", {"n": 1}])
    await db.spaces.promote(staging, production, ["page:1"])
    await production.execute(put, ["page:1", {"n": "fixed"}])
    await staging.execute(put, ["page:1", {"n": 2}])
    with pytest.raises(MergeConflictError, match="entity 'page:1' of space 'production'") as raised:
        await db.spaces.promote(staging, production, ["page:1", "page:2"])
    (conflict,) = raised.value.conflicts
    assert [e.payload for e in conflict.source_events] == [{"n": 2}]
    assert [e.payload for e in conflict.target_events] == [{"n": "fixed"}]
    assert await state(production) == {"page:1": {"n": "fixed"}}
    preview = await db.spaces.preview_promote(staging, production, ["page:1", "page:2"])
    assert (preview.copied, preview.conflicts) == (1, (conflict,))


async def test_an_entity_that_both_had_before_is_a_conflict(db, two):
    for store in two:
        await store.execute(put, ["page:1", {"of": store.space.space_name}])
    with pytest.raises(MergeConflictError):
        await db.spaces.promote(*two, ["page:1"])


@pytest.mark.parametrize(("policy", "value"), [("ours", "production"), ("theirs", "staging")])
async def test_a_conflict_that_was_settled_does_not_come_again(db, two, policy, value):
    staging, production = two
    for store in two:
        await store.execute(put, ["page:1", {"of": store.space.space_name}])
    done = await db.spaces.promote(staging, production, ["page:1"], on_conflict=policy)
    assert len(done.kept if policy == "ours" else done.taken) == 1
    assert await production.pstate.fetch("page:1") == {"of": value}
    assert len(await production.events.get_events("page:1")) == (1 if policy == "ours" else 2)
    assert not (await db.spaces.promote(staging, production, ["page:1"])).changed


async def test_what_was_taken_is_the_base_of_what_comes_next(db, two):
    staging, production = two
    for store in two:
        await store.execute(put, ["page:1", {"of": store.space.space_name}])
    await db.spaces.promote(staging, production, ["page:1"], on_conflict="theirs")
    await staging.execute(put, ["page:1", {"n": 2}])
    assert (await db.spaces.promote(staging, production, ["page:1"])).copied == 1
    assert not (await db.spaces.promote(production, staging, ["page:1"])).changed


async def test_a_function_settles_each_conflict(db, two):
    staging, production = two
    for store in two:
        await store.execute(put, ["page:1", {"of": store.space.space_name}])
    seen = []

    def settle(conflict: MergeConflict):
        seen.append(conflict.name)
        return [NewEvent("doc.put", {"of": "both"}, entity_id=conflict.name)]

    done = await db.spaces.promote(staging, production, ["page:1"], on_conflict=settle)
    assert (done.copied, done.made, set(seen)) == (0, 1, {"page:1"})
    assert await production.pstate.fetch("page:1") == {"of": "both"}


async def test_ready_made_data_goes_over_by_name(db):
    a, b = [await db.content_store(name) for name in ("a", "b")]
    await a.kv.put("theme", "dark")
    await a.kv.put("secret", 1)
    await a.cells.set("limit", 5)
    await a.json.set("home", {"title": "A", "body": {"x": 1}})
    await a.log.append("seen", {"n": 1})
    await a.vectors.create_collection("v", 2)
    await a.vectors.upsert("v", "k", [1.0, 0.0])
    data = {n: [each] for n, each in {"kv": "theme", "cells": "limit", "json": "home"}.items()}
    done = await db.spaces.promote(a, b, data={**data, "log": ["entries"], "vectors": ["v"]})
    assert done.copied == 6
    assert await b.kv.list() == ["theme"]
    assert await b.json.get("home") == {"title": "A", "body": {"x": 1}}
    assert (await b.vectors.search("v", [1.0, 0.0]))[0].key == "k"
    assert [entry.payload for entry in await b.log.range(1)] == [{"n": 1}]
    assert (await b.verify()).findings == ()
    again = await db.spaces.promote(a, b, data={**data, "log": ["entries"], "vectors": ["v"]})
    assert not again.changed


async def test_a_tree_goes_over_as_a_whole(db):
    a, b = [await db.content_store(name) for name in ("a", "b")]
    home = (await a.tree("menu").create(properties={"title": "Home"})).node
    await a.tree("menu").create(home)
    assert (await db.spaces.promote(a, b, data={"tree": ["menu"]})).copied == 2
    assert not (await db.spaces.promote(a, b, data={"tree": ["menu"]})).changed
    await a.tree("menu").delete(home)
    assert (await db.spaces.promote(a, b, data={"tree": ["menu"]})).copied == 1
    assert (await b.verify()).findings == ()


async def test_documents_that_were_changed_in_different_places_merge(db):
    a, b = [await db.content_store(name) for name in ("a", "b")]
    await a.json.set("home", {"title": "A", "body": {"x": 1}})
    await db.spaces.promote(a, b, data={"json": ["home"]})
    await a.json.set("home", "A2", path="$.title")
    await b.json.set("home", 2, path="$.body.x")
    await db.spaces.promote(a, b, data={"json": ["home"]})
    assert await b.json.get("home") == {"title": "A2", "body": {"x": 2}}
    await a.json.set("home", 3, path="$.body.x")
    with pytest.raises(MergeConflictError) as raised:
        await db.spaces.promote(a, b, data={"json": ["home"]})
    assert raised.value.conflicts[0].paths == ("/body/x",)
    await db.spaces.promote(b, a, data={"json": ["home"]}, on_conflict="theirs")
    assert await a.json.get("home") == await b.json.get("home")


async def test_without_a_domain_the_next_user_folds_the_copies(db, two):
    staging, production = two
    await staging.execute(put, ["page:1", {"n": 1}])
    await db.spaces.promote("staging", "production", ["page:1"])
    assert await production.get_checkpoint() == 0
    assert await production.pstate.fetch("page:1") == {"n": 1}
    assert (await production.verify()).findings == ()


async def test_a_copy_that_the_target_cannot_fold_leaves_nothing(db, two):
    staging, _ = two
    strict = Domain("strict", lambda state, event: state["no"])
    target = await db.content_store("target", strict)
    await staging.execute(put, ["page:1", {"n": 1}])
    with pytest.raises(FoldError):
        await db.spaces.promote(staging, target, ["page:1"])
    assert await target.events.get_space_latest_sequence() == 0
    other = await db.content_store("other", documents("others"))
    await other.execute(put, ["page:9", {"n": 1}])
    with pytest.raises(DomainMismatchError):
        await db.spaces.promote(other, staging, ["page:9"], domain=strict)
    assert await staging.events.get_space_latest_sequence() == 1


async def test_bad_input_is_named_and_changes_nothing(db, two):
    staging, production = two
    await staging.execute(put, ["page:1", {"n": 1}])
    with pytest.raises(DataError, match="page:9.*has no event in space 'staging'"):
        await db.spaces.promote(staging, production, ["page:1", "page:9"])
    for entities, data in [((), None), ("page:1", None), ([1], None), ((), {"tree": ["x"]})]:
        with pytest.raises(DataError):
            await db.spaces.promote(staging, production, entities, data=data)
    with pytest.raises(DataError, match="on_conflict"):
        await db.spaces.promote(staging, production, ["page:1"], on_conflict="mine")
    with pytest.raises(MisuseError, match="itself"):
        await db.spaces.promote(staging, "staging", ["page:1"])
    with pytest.raises(SpaceNotFoundError):
        await db.spaces.promote(staging, "nowhere", ["page:1"])
    async with staging.transaction():
        with pytest.raises(NestedTransactionError):
            await db.spaces.promote(staging, production, ["page:1"])
    assert await production.events.get_space_latest_sequence() == 0


async def test_default_gets_its_row_when_something_comes(db):
    a = await db.content_store("a")
    with pytest.raises(DataError):
        await db.spaces.promote("default", "a", data={"kv": ["k"]})
    await a.kv.put("k", 1)
    await db.spaces.promote("a", "default", data={"kv": ["k"]})
    assert await (await db.content_store()).kv.get("k") == 1


async def test_writers_of_both_sides_lose_nothing(db, two):
    staging, production = two

    async def write(store, name):
        for n in range(20):
            await store.execute(put, [f"{name}:{n % 3}", {"n": n}])

    async def promote():
        for _ in range(6):
            names = [e.entity_id async for e in staging.events.stream()]
            if names:
                await db.spaces.promote(staging, production, set(names))
            await asyncio.sleep(0)

    await asyncio.gather(write(staging, "s"), write(production, "p"), promote())
    await db.spaces.promote(staging, production, [f"s:{n}" for n in range(3)])
    assert await state(production) == {
        **await state(staging),
        **{f"p:{n % 3}": {"n": n} for n in range(20)},
    }
    assert await production.events.get_space_latest_sequence() == 40
    report = await production.verify()
    assert report.findings == ()


async def test_searched_chained_and_projected_rows_come_along(db, two):
    staging, production = two
    await db.spaces.enable_hash_chain("production")
    await db.spaces.enable_search("production", fields={"page": ["n"]})
    await staging.execute(put, ["page:1", {"n": "needle"}])
    await db.spaces.promote(staging, production, ["page:1"])
    report = await production.verify()
    assert (report.findings, report.chained) == ((), 1)
    assert [hit.key for hit in await production.search("needle")] == ["page:1"]


async def test_a_deleted_space_forgets_what_it_took_over(db, two):
    staging, _ = two
    await staging.execute(put, ["page:1", {"n": 1}])
    await db.spaces.promote(staging, "production", ["page:1"])
    await db.spaces.delete("production", force=True)
    anew = await db.content_store("production", DOCUMENTS)
    assert (await db.spaces.promote(staging, anew, ["page:1"])).copied == 1


async def test_a_source_that_is_gone_changes_nothing_in_the_target(db, two):
    staging, production = two
    await staging.execute(put, ["page:1", {"n": 1}])
    await db.spaces.promote(staging, production, ["page:1"])
    await db.spaces.delete("staging", force=True)
    assert await production.pstate.fetch("page:1") == {"n": 1}
    with pytest.raises(SpaceNotFoundError):
        await db.spaces.promote(ramax.Space(99, "staging", ramax.values.EPOCH), production, ["x"])
