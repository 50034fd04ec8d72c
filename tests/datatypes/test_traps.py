"""What an earlier system of this kind got wrong, one test for each mistake."""

import pytest
import sqlalchemy as sa

import ramax
from ramax import Domain, NewEvent, SpaceNotFoundError
from tests._counting import counted
from tests._domains import add, counter
from tests._tables import dump


async def test_trap_a_a_rollback_discards_every_data_type(db):
    """There, after ``rollback()`` every write of the block stayed."""
    store = await db.content_store("acme")
    await store.kv.put("before", 1)
    before = await dump(db)
    with pytest.raises(RuntimeError):
        async with store.transaction() as tx:
            await tx.kv.put("a", 1)
            await tx.kv.delete("before")
            await tx.log.append("t", {})
            await tx.cells.set("c", 1)
            await tx.json.set("d", {})
            await tx.vectors.create_collection("v", 2)
            raise RuntimeError
    assert await dump(db) == before
    assert await store.kv.list() == ["before"]
    assert await store.log.len() == 0


async def test_trap_b_an_appended_entry_is_never_overwritten(db):
    """There, a merge replaced an acknowledged event. Here no method changes an entry, and a rebuild
    gives the same ones again."""
    store = await db.content_store("acme")
    await store.log.append_many([("t", {"n": n}) for n in range(3)])
    before = await store.log.range()
    verbs = {name for name in dir(store.log) if not name.startswith("_")}
    assert verbs == {
        "append", "append_many", "get", "len", "range", "range_by_time", "types", "verify",
    }  # fmt: skip
    await store.log.append("t", {"n": 3})
    await store.rebuild_pstate()
    assert (await store.log.range())[:3] == before


async def test_trap_c_nothing_is_found_in_another_space(db):
    """There, a search in one space showed hits of another. Text search is tested with it; vectors
    and indexes here."""
    mine, theirs = await db.content_store("mine"), await db.content_store("theirs")
    for store in (mine, theirs):
        await store.vectors.create_collection("v", 2)
        await store.json.create_index("$.n")
    await theirs.vectors.upsert("v", "secret", [1, 0])
    await theirs.json.set("secret", {"n": 1})
    assert await mine.vectors.search("v", [1, 0]) == []
    assert await mine.json.find("$.n", "eq", 1) == []
    async with db.transaction("mine", "theirs") as tx:
        assert await tx.at("mine").vectors.search("v", [1, 0]) == []
        assert len(await tx.at("theirs").vectors.search("v", [1, 0])) == 1


async def test_trap_d_deleting_a_space_that_is_not_there_is_an_error(db):
    """There, it succeeded in silence."""
    for force in (False, True):
        with pytest.raises(SpaceNotFoundError):
            await db.spaces.delete("never", force=force)


async def test_trap_e_a_log_never_starts_again(db):
    """There, deleting a space by force set its log back to 0. Here a space of the same name is
    another space: its id and its event ids are new, and handles to the old one say that it is gone."""
    old = await db.content_store("acme")
    await old.log.append_many([("t", {})] * 3)
    last = await db.events.get_latest_event_id()
    await db.spaces.delete("acme", force=True)
    new = await db.content_store("acme")
    commit = await new.log.append("t", {})
    assert new.space.space_id > old.space.space_id
    assert commit.event_ids[0] > last
    with pytest.raises(SpaceNotFoundError):
        await old.log.len()
    with pytest.raises(SpaceNotFoundError):
        await old.log.append("t", {})


async def test_trap_f_what_was_acknowledged_is_in_the_database(durable_db, durable_url):
    """There, a killed process lost acknowledged writes. Here an answer comes after the commit, which
    another connection sees; `tests/concurrency/test_kill.py` kills processes."""
    store = await durable_db.content_store("acme")
    async with ramax.connect(durable_url) as other:
        reader = await other.content_store("acme")
        for n in range(5):
            await store.kv.put("n", n)
            assert await reader.kv.get("n") == n
            await store.log.append("t", {})
            assert await reader.log.len() == n + 1


async def test_trap_g_opening_does_not_read_what_is_stored(durable_url):
    """There, opening took seconds after forks. Here it is as many statements however much there is."""
    counts = []
    for n in range(2):
        async with ramax.connect(durable_url) as db:
            async with counted(db) as calls:
                store = await db.content_store("acme")
                await store.kv.get("k")
            counts.append(calls.statements)
            await store.kv.put_many({f"{n}:{i}": i for i in range(1000)})
    async with ramax.connect(durable_url) as db, counted(db) as calls:
        await (await db.content_store("acme")).kv.get("k")
    assert calls.statements <= counts[0]


async def test_trap_h_opening_upgrades_nothing(durable_url):
    """There, any open rewrote the format so that older readers refused it."""
    async with ramax.connect(durable_url) as db:
        await (await db.content_store("acme")).kv.put("a", 1)
        before = await dump(db)
        revision = await db.current_revision()
    async with ramax.connect(durable_url) as db:
        assert await (await db.content_store("acme")).kv.get("a") == 1
        assert await dump(db) == before
        assert await db.current_revision() == revision


async def test_trap_i_a_page_costs_what_it_holds(durable_db):
    """There, each page of the log read the whole log again. Here the plan of a page is a range of
    the primary key, and walking n entries takes n / 1,000 statements."""
    store = await durable_db.content_store("acme")
    await store.log.append_many([("t", {})] * 3000)
    async with counted(durable_db) as calls:
        assert len(await store.log.range(1, 1001)) == 1000
    first = calls.statements
    async with counted(durable_db) as calls:
        assert len(await store.log.range(2001, 3001)) == 1000
    assert calls.statements <= first
    async with counted(durable_db) as calls:
        assert len(await store.log.range()) == 3000
    assert calls.statements <= 3 * first + 3


# -- and the traps of putting this beside an application's own domain ---------------------------


async def test_a_rebuild_with_any_domain_keeps_what_the_data_types_hold(db):
    plain = await db.content_store("acme")
    await plain.kv.put("a", 1)
    await plain.cells.set("c", 1)
    theirs = await db.content_store("acme", counter())
    await theirs.execute(add)
    assert await theirs.rebuild_pstate() == 3
    assert await plain.rebuild_pstate() == 3
    for store in (plain, theirs):
        assert await store.kv.get("a") == 1
        assert (await store.cells.entry("c")).version == 1


async def test_data_types_first_and_a_domain_later_and_the_other_way_round(db):
    for order in ("types", "domain"):
        name = f"{order}-first"
        plain = await db.content_store(name)
        theirs = await db.content_store(name, counter())
        if order == "domain":
            await theirs.execute(add)
        await plain.kv.put("a", 1)
        await theirs.execute(add)
        await plain.kv.put("a", 2)
        await theirs.kv.put("b", 3)
        assert (await theirs.execute(add)).space_sequence == (6 if order == "domain" else 5)
        assert await theirs.pstate.get("n") == (3 if order == "domain" else 2)
        assert await plain.kv.get_many(["a", "b"]) == {"a": 2, "b": 3}


async def test_a_domain_that_takes_all_events_gets_none_of_the_data_types(db):
    seen = []
    greedy = Domain("greedy", lambda _state, event: seen.append(event.event_type))
    store = await db.content_store("acme", greedy)
    await store.kv.put("a", 1)
    await store.events.append("e", "mine", {})
    await store.log.append("t", {})
    await store.rebuild_pstate()
    assert set(seen) == {"mine"}


async def test_what_an_application_does_to_its_whole_state_leaves_the_data_types_alone(db):
    domain = Domain("clearing")

    @domain.applicator("filled")
    def filled(state, event):
        state.update(a=1, b=2)

    @domain.applicator("cleared")
    def cleared(state, event):
        state["size"] = [len(state), *state]
        state.clear()
        state["left"] = dict(state)

    def do(state, event_type):
        assert "\x01kv:k" not in state
        assert state.get("\x01kv:k") is None
        return [NewEvent(event_type, {"keys": list(state)}, entity_id="e")]

    store = await db.content_store("acme", domain)
    await store.kv.put("k", 1)
    await store.execute(do, "filled")
    await store.execute(do, "cleared")
    assert [pair async for pair in store.pstate.scan()] == [("left", {})]
    assert await store.kv.get("k") == 1
    await store.rebuild_pstate()
    assert await store.kv.list() == ["k"]


async def test_an_application_cannot_write_the_events_or_keys_of_a_data_type(db):
    store = await db.content_store("acme", counter())
    put = NewEvent("ramax.kv.put", {"value": 1}, entity_id="ramax.kv:a")
    for attempt in (
        lambda: store.events.append("ramax.kv:a", "ramax.kv.put", {"value": 1}),
        lambda: store.events.append_many([put]),
        lambda: db.events.append("acme", "e", "ramax.anything", {}),
        lambda: store.execute(lambda _state, _params: [put]),
        lambda: store.pstate.put("\x01kv:a", 1),
        lambda: store.pstate.get("\x01kv:a"),
        lambda: store.pstate.count("\x01"),
        lambda: db.pstate.delete("acme", "\x01kv:a"),
    ):
        with pytest.raises(ramax.DataError, match="data types"):
            await attempt()
    async with store.transaction() as tx:
        with pytest.raises(ramax.DataError, match="data types"):
            await tx.append("e", "ramax.kv.put", {})
    assert await store.events.get_space_latest_sequence() == 0


async def test_an_event_of_a_newer_ramax_stops_the_fold_and_says_so(durable_db):
    store = await durable_db.content_store("acme")
    await store.kv.put("a", 1)
    async with durable_db.connection() as connection:
        await connection.execute(sa.text("UPDATE events SET event_type = 'ramax.kv.invented'"))
        await connection.commit()
    with pytest.raises(ramax.FoldError, match="not known to this version"):
        await store.rebuild_pstate()
    assert await store.kv.get("a") == 1


async def test_verify_compares_the_data_types_too(durable_db):
    store = await durable_db.content_store("acme", counter())
    await store.execute(add)
    await store.kv.put("a", 1)
    assert (await store.verify()).ok
    async with durable_db.connection() as connection:
        await connection.execute(sa.text("DELETE FROM pstate_entities WHERE key = '\x01kv:a'"))
        await connection.commit()
    assert not (await store.verify()).ok
