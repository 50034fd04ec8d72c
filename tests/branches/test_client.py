"""Branches: a fork is its source at one point, and from there on a world of its own."""

from datetime import UTC, datetime, timedelta

import pytest

import ramax
from ramax import Domain, NewEvent
from ramax.core.codec import encode
from ramax.errors import (
    BranchExistsError,
    BranchInUseError,
    BranchNotFoundError,
    DataError,
    DomainMismatchError,
    MisuseError,
    SpaceInUseError,
    SpaceNotFoundError,
)
from ramax.storage.snapshots import Fold, read_newest
from ramax.testing.records import record
from tests._domains import documents, put


async def forked(db):
    acme = await db.content_store("acme")
    for number in range(3):
        await acme.kv.put(f"k{number}", number)
    await db.branches.fork("main", "experiment")
    return acme, await db.at_branch("experiment").content_store("acme")


async def test_a_fork_has_history_and_state_of_its_source(db):
    acme, copy = await forked(db)
    assert copy.space.space_id != acme.space.space_id
    events = [event async for event in copy.events.stream()]
    assert [event.space_sequence for event in events] == [1, 2, 3]
    assert {event.space_id for event in events} == {copy.space.space_id}
    assert await copy.kv.get("k2") == 2
    assert await copy.events.get_event(events[0].event_id) == events[0]


async def test_neither_side_sees_what_the_other_writes_later(db):
    acme, copy = await forked(db)
    await acme.kv.put("k0", "main")
    await copy.kv.put("k0", "fork")
    late = await acme.events.append("e", "late", {})
    assert await acme.kv.get("k0") == "main"
    assert await copy.kv.get("k0") == "fork"
    assert [e.space_sequence async for e in copy.events.stream()] == [1, 2, 3, 4]
    assert await copy.events.get_events("e") == []
    with pytest.raises(ramax.EventNotFoundError):
        await copy.events.get_event(late.event_id)
    with pytest.raises(ramax.EventNotFoundError):
        await db.at_branch("experiment").events.get_event(late.event_id)


async def test_the_feed_of_a_branch_has_what_was_written_on_it(db):
    acme, copy = await forked(db)
    mine = await copy.events.append("e", "on.fork", {})
    theirs = await acme.events.append("e", "on.main", {})
    assert [e async for e in db.at_branch("experiment").events.stream_all_events()] == [mine]
    types = [e.event_id async for e in db.events.stream_all_events()]
    assert theirs.event_id in types and mine.event_id not in types


async def test_a_fork_of_a_fork_reads_through_both(db):
    _, copy = await forked(db)
    await copy.kv.put("k3", 3)
    await db.branches.fork("experiment", "deeper")
    await copy.kv.put("k4", 4)
    deeper = await db.at_branch("deeper").content_store("acme")
    await deeper.kv.put("k5", 5)
    assert [e.space_sequence async for e in deeper.events.stream(reverse=True)] == [5, 4, 3, 2, 1]
    assert await deeper.kv.get("k3") == 3
    assert await deeper.kv.get("k4") is None
    assert (await db.at_branch("deeper").verify("acme").__anext__()).ok


async def test_a_fork_at_sequences_or_a_moment_is_the_past(db):
    acme, _ = await forked(db)
    events = [event async for event in acme.events.stream()]
    await db.branches.fork("main", "early", at={"acme": 1})
    early = await db.at_branch("early").content_store("acme")
    assert [await early.kv.get(f"k{n}") for n in range(3)] == [0, None, None]
    await db.branches.fork("main", "second", at=events[1].timestamp)
    second = await db.at_branch("second").content_store("acme")
    assert await second.events.get_space_latest_sequence() >= 2
    with pytest.raises(DataError):
        await db.branches.fork("main", "beyond", at={"acme": 99})
    with pytest.raises(DataError):
        await db.branches.fork("main", "later", at=datetime.now(UTC) + timedelta(days=1))
    assert not await db.branches.exists("beyond")


async def test_names_are_unique_and_main_is_fixed(db):
    await db.branches.create("one")
    with pytest.raises(BranchExistsError):
        await db.branches.create("one")
    with pytest.raises(BranchExistsError):
        await db.branches.fork("main", "one")
    with pytest.raises(BranchNotFoundError):
        await db.branches.fork("nowhere", "two")
    renamed = await db.branches.rename("one", "two")
    assert await db.branches.get("two") == renamed
    for refused in (db.branches.delete("main"), db.branches.rename("main", "x")):
        with pytest.raises(MisuseError):
            await refused
    assert [branch.name for branch in await db.branches.list()] == ["main", "two"]
    with pytest.raises(BranchNotFoundError):
        await db.at_branch("one").content_store("acme")


async def test_what_a_live_branch_needs_is_not_deleted_and_is_later(db):
    acme, copy = await forked(db)
    await db.branches.fork("experiment", "deeper")
    with pytest.raises(SpaceInUseError, match="experiment"):
        await db.spaces.delete("acme", force=True)
    with pytest.raises(BranchInUseError, match="deeper"):
        await db.branches.delete("experiment")
    await db.branches.delete("deeper")
    await db.branches.delete("experiment")
    with pytest.raises(SpaceNotFoundError):
        await copy.kv.put("k", 1)
    assert await acme.kv.get("k1") == 1
    await db.spaces.delete("acme", force=True)


async def test_an_idempotency_key_of_before_the_fork_counts_on_it(db):
    acme = await db.content_store("acme")
    first = await acme.events.append("e", "t", {}, idempotency_key="once")
    await db.branches.fork("main", "experiment")
    copy = await db.at_branch("experiment").content_store("acme")
    again = await copy.events.append("e", "t", {}, idempotency_key="once")
    assert again.event_id == first.event_id
    assert await copy.events.get_space_latest_sequence() == 1


async def test_a_space_of_another_branch_is_not_found_by_id_or_handle(db):
    acme, copy = await forked(db)
    view = db.at_branch("experiment")
    assert await view.spaces.find_by_id(acme.space.space_id) is None
    assert await db.spaces.find_by_id(copy.space.space_id) is None
    with pytest.raises(SpaceNotFoundError):
        await view.events.get_space_latest_sequence(acme.space)


async def test_values_beside_the_log_are_in_a_fork_as_they_were(db):
    acme, _ = await forked(db)
    await acme.pstate.put("note", "before")
    await db.branches.fork("main", "noted")
    await acme.pstate.put("note", "after")
    await acme.kv.put("k9", 9)
    copy = await db.at_branch("noted").content_store("acme")
    assert await copy.pstate.get("note") == "before"
    assert await copy.kv.get("k9") is None
    await copy.pstate.put("note", "mine")
    assert await acme.pstate.get("note") == "after"


async def test_a_value_put_later_is_not_copied_with_the_rest(db):
    acme, copy = await forked(db)
    await acme.pstate.put("note", "after")
    assert await copy.pstate.get("note") is None
    assert await copy.kv.get("k1") == 1


async def test_a_chain_goes_on_in_a_fork_and_is_not_ended_under_it(db):
    acme = await db.content_store("acme")
    await acme.kv.put("k", 1)
    await db.spaces.enable_hash_chain("acme")
    await db.branches.fork("main", "experiment")
    view = db.at_branch("experiment")
    copy = await view.content_store("acme")
    await copy.kv.put("k", 2)
    with pytest.raises(SpaceInUseError, match="experiment"):
        await db.spaces.disable_hash_chain("acme")
    assert (await copy.verify()).chained == 2
    await view.spaces.disable_hash_chain("acme")
    assert (await acme.verify()).chained == 1
    await db.branches.delete("experiment")
    await db.spaces.disable_hash_chain("acme")


async def test_a_fork_folds_on_from_a_snapshot_of_its_parent(db):
    domain = documents()
    acme = await db.content_store("acme", domain)
    for key in "abc":
        await acme.execute(put, [key, {"of": key}])
    await acme.snapshots.take(2)
    await acme.snapshots.take(3)
    await db.branches.fork("main", "experiment", at={"acme": 2})
    copy = await db.at_branch("experiment").content_store("acme", domain)
    await copy.execute(put, ["d", {}])
    fold = Fold.of(domain.fold_versions)
    found = await db._core.read(lambda ex: read_newest(ex, copy.space.space_id, fold))
    assert found is not None and found.sequence == 2
    assert await copy.as_of(3).pstate.get_many(list("abcd")) == {
        "a": {"of": "a"},
        "b": {"of": "b"},
        "d": {},
    }


async def test_a_subscription_of_a_fork_begins_with_its_own_events_unless_it_is_told(db):
    acme, copy = await forked(db)
    assert await delivered(copy, "mailer") == []
    await copy.kv.put("k3", 3)
    await acme.kv.put("elsewhere", 3)
    assert await delivered(copy, "mailer") == [4]
    assert await delivered(copy, "from the start", start=0) == [1, 2, 3, 4]
    assert await delivered(acme, "mailer") == [1, 2, 3, 4]


async def delivered(store, name, **options):
    async with store.subscribe(name, follow=False, **options) as s:
        found = []
        async for event in s:
            await s.ack(event)
            found.append(event.space_sequence)
        return found


def counter():
    domain = Domain("counts")

    @domain.applicator("added")
    def added(state, event):
        state["n"] = state.get("n", 0) + event.payload["n"]

    return domain


def add(state, params):
    return [NewEvent("added", {"n": state.get("n", 0) + params}, entity_id="e")]


@pytest.mark.parametrize("moved", [False, True])
async def test_the_first_use_of_a_fork_may_be_anything(db, moved):
    """Whether its state is copied or folded, nobody sees another one."""
    acme = await db.content_store("acme", counter())
    await acme.execute(add, 1)
    await acme.execute(add, 1)
    await acme.json.set("doc", {"a": 1})

    async def a_command(store):
        return (await store.execute(add, 0)).events[0].payload["n"]

    async def a_read(store):
        return await store.pstate.fetch("n")

    async def a_scan(store):
        return dict([pair async for pair in store.pstate.scan()])["n"]

    async def a_count(store):
        return 3 * await store.pstate.count()

    async def in_a_transaction(store):
        async with store.transaction() as tx:
            return await tx.pstate.fetch("n")

    async def a_command_in_a_transaction(store):
        async with store.transaction() as tx:
            return (await tx.execute(add, 0)).events[0].payload["n"]

    async def a_reader(store):
        async with store.pstate.reader() as reader:
            return await reader.fetch("n")

    async def a_raw_append(store):
        await store.events.append("e", "added", {"n": 0})
        return await store.pstate.fetch("n")

    async def a_document(store):
        await store.json.set("doc", 2, path="$.b")
        assert await store.json.get("doc") == {"a": 1, "b": 2}
        return await store.pstate.fetch("n")

    async def a_list_of_documents(store):
        assert [doc async for doc in aiter_of(store.json.list())] == ["doc"]
        return await store.pstate.fetch("n")

    async def the_past(store):
        return await (await store.as_of(3)).pstate.fetch("n")

    async def a_put(store):
        await store.pstate.put("direct", 1)
        return await store.pstate.fetch("n")

    async def a_rebuild(store):
        assert await store.rebuild_pstate() == 3
        return await store.pstate.fetch("n")

    async def a_catchup(store):
        await store.catchup_pstate()
        return await store.pstate.fetch("n")

    uses = (
        a_command,
        a_read,
        a_scan,
        a_count,
        in_a_transaction,
        a_command_in_a_transaction,
        a_reader,
        a_raw_append,
        a_document,
        a_list_of_documents,
        the_past,
        a_put,
        a_rebuild,
        a_catchup,
    )
    for number, _ in enumerate(uses):
        await db.branches.fork("main", f"b{number}")
    if moved:
        await acme.execute(add, 10)
    for number, use in enumerate(uses):
        store = await db.at_branch(f"b{number}").content_store("acme", counter())
        assert await use(store) == 3, use.__name__
        assert (await store.verify()).findings == (), use.__name__


async def test_what_a_fork_was_forked_with_is_found_once_it_is_searched(db):
    acme = await db.content_store("acme")
    await acme.kv.put("greeting", "hello there")
    await db.branches.fork("main", "experiment")
    view = db.at_branch("experiment")
    await view.spaces.enable_search("acme")
    copy = await view.content_store("acme")
    await copy.kv.put("farewell", "goodbye there")
    assert {hit.key for hit in await copy.search("there")} == {"greeting", "farewell"}
    assert (await copy.verify()).findings == ()


async def aiter_of(listed):
    for each in await listed:
        yield each


async def test_a_handle_without_the_domain_reads_a_copy_and_is_told_where_it_takes_a_fold(db):
    acme = await db.content_store("acme", counter())
    await acme.execute(add, 1)
    await db.branches.fork("main", "copied")
    raw = await db.at_branch("copied").content_store("acme")
    assert await raw.pstate.get("n") == 1
    await db.branches.fork("main", "folded")
    await acme.execute(add, 1)
    raw = await db.at_branch("folded").content_store("acme")
    view = db.at_branch("folded")
    for read in (
        raw.pstate.get("n"),
        raw.pstate.count(),
        raw.kv.get("k"),
        raw.kv.put("k", 1),
        raw.kv.count(),
        raw.pstate.put("k", 1),
        view.pstate.get("acme", "n"),
    ):
        with pytest.raises(DomainMismatchError, match="counts"):
            await read
    store = await view.content_store("acme", counter())
    assert await store.pstate.fetch("n") == 1
    assert await raw.pstate.get("n") == 1


async def test_a_space_without_events_is_forked_with_what_was_put_into_it(db):
    acme = await db.content_store("acme", counter())
    await acme.pstate.put("note", 1)
    await db.branches.fork("main", "experiment")
    await acme.execute(add, 1)
    copy = await db.at_branch("experiment").content_store("acme", counter())
    assert [pair async for pair in copy.pstate.scan()] == [("note", 1)]


async def test_a_replicated_space_is_forked_up_to_the_first_event_that_came_late(db):
    notes = await db.content_store("notes")
    await notes.replica.enable()
    await notes.kv.put("a", "newer")
    await notes.json.set("doc", 1)
    await db.branches.fork("main", "at-once")
    copy = await db.at_branch("at-once").content_store("notes")
    await copy.json.set("doc", 2)
    assert (await copy.verify()).findings == ()
    await db.branches.fork("main", "before")
    payload = encode({"value": "older"}, "payload")
    origin = b"device-of-origin"
    kind = {"event_type": "ramax.kv.put", "entity_id": "ramax.kv:a"}
    await notes.replica.ingest([record(origin, 1, **kind, payload=payload, stamp=1 << 16)])
    with pytest.raises(MisuseError, match="event 3 came late"):
        await db.branches.fork("main", "after")
    with pytest.raises(MisuseError, match="event 3 came late"):
        await db.spaces.clone("notes", "copy")
    assert not await db.branches.exists("after")
    await db.branches.fork("main", "again", at={"notes": 2})
    for name in ("before", "again"):
        copy = await db.at_branch(name).content_store("notes")
        assert await copy.kv.get("a") == "newer"
        await copy.kv.put("a", "newest")
        assert (await copy.verify()).findings == ()


async def test_a_chain_goes_on_from_wherever_in_its_ancestry_a_fork_begins(db):
    acme = await db.content_store("acme")
    await db.spaces.enable_hash_chain("acme")
    for number in range(3):
        await acme.kv.put("k", number)
    await db.branches.fork("main", "one")
    one = await db.at_branch("one").content_store("acme")
    await one.kv.put("k", "one")
    for sequence in range(5):
        name = f"at-{sequence}"
        await db.branches.fork("one", name, at={"acme": sequence})
        copy = await db.at_branch(name).content_store("acme")
        await copy.kv.put("k", name)
        report = await copy.verify()
        assert (report.chained, report.findings) == (sequence + 1, ())
