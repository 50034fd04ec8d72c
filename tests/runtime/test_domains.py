"""Domains at work: what applicators may do, whose fold a pstate is, and how it catches up."""

import asyncio
from typing import Any

import pytest

import ramax
from ramax import (
    DataError,
    Domain,
    DomainMismatchError,
    MisuseError,
    NewEvent,
)
from ramax.errors import (
    FoldError,
)
from tests._domains import add, add_read, counter, delete, documents, nothing, put
from tests._each import each
from tests._tables import dump


@pytest.fixture
async def store(db):
    return await db.content_store("acme", counter())


# -- domains ---------------------------------------------------------------------------------------


def event_of(event_type, **payload):
    return lambda *_: [NewEvent(event_type, payload, entity_id="e")]


async def test_an_applicator_that_returns_something_is_an_error(db):
    """Ported code returns the new state, and would silently do nothing."""
    domain = Domain("ported")

    @domain.applicator("t")
    def apply(state, event):
        state["x"] = 1
        return state

    store = await db.content_store("acme", domain)
    with pytest.raises(MisuseError, match="'t' returned"):
        await store.execute(event_of("t"))
    assert await store.events.get_space_latest_sequence() == 0
    await db.events.append("acme", "e", "t", {})
    with pytest.raises(FoldError, match="returned"):
        await store.pstate.get("x")
    assert await store.get_checkpoint() == 0


@each("result", [0, False, "", [], {}])
async def test_even_a_false_result_is_one(db, result):
    domain = Domain("ported", lambda *_: result)
    store = await db.content_store("acme", domain)
    with pytest.raises(MisuseError, match="returned"):
        await store.execute(event_of("t"))


async def test_an_async_applicator_is_refused_when_it_is_registered():
    async def apply(state, event):
        pass

    function: Any = apply
    with pytest.raises(MisuseError):
        Domain("late", function)
    with pytest.raises(MisuseError):
        Domain("late").applicator("t")(function)


async def test_a_missing_entity_id_names_the_type(db):
    for domain in (Domain("none"), Domain("gives none", entity_id=lambda _: None)):
        store = await db.content_store("acme", domain)
        before = await dump(db)
        with pytest.raises(DataError, match=r"order\.placed.*entity id"):
            await store.execute(lambda *_: [NewEvent("order.placed", {})])
        with pytest.raises(DataError, match=r"order\.placed.*entity id"):
            await store.events.append_many([NewEvent("order.placed", {})])
        assert await dump(db) == before


async def test_an_extractor_that_fails_names_the_type(db):
    store = await db.content_store("acme", Domain("d", entity_id=lambda payload: payload["id"]))
    with pytest.raises(DataError, match=r"order\.placed.*KeyError"):
        await store.execute(lambda *_: [NewEvent("order.placed", {})])
    given = await store.execute(lambda *_: [NewEvent("order.placed", {}, entity_id="mine")])
    assert given.events[0].entity_id == "mine"


async def test_an_applicator_that_raises_takes_its_command_with_it(db):
    domain = Domain("touchy")

    @domain.applicator("t")
    def apply(state, event):
        state["last"] = event.payload["n"]
        if event.payload["n"] == 2:
            raise ZeroDivisionError("two")

    store = await db.content_store("acme", domain)
    await store.execute(event_of("t", n=0))
    before = await dump(db)
    with pytest.raises(ZeroDivisionError):
        await store.execute(lambda *_: [NewEvent("t", {"n": n}, entity_id="e") for n in (1, 2, 3)])
    assert await dump(db) == before
    await store.execute(event_of("t", n=5))
    assert await store.pstate.fetch("last") == 5


async def test_events_that_nobody_handles_are_recorded_and_skipped(store):
    commit = await store.execute(event_of("unknown"))
    assert commit.space_sequence == await store.get_checkpoint() == 1
    assert await store.pstate.count() == 0


async def test_one_plain_function_may_apply_everything(db):
    def apply(state, event):
        state[event.event_type] = event.space_sequence

    store = await db.content_store("acme", Domain("plain", event_applicator=apply))
    await store.execute(event_of("a"))
    await store.execute(event_of("b"))
    assert await store.pstate.get_many(["a", "b"]) == {"a": 1, "b": 2}


async def test_a_star_takes_all_others(db):
    domain = Domain("star")
    domain.applicator("a", "b")(lambda state, event: state.update(named=event.event_type))
    domain.applicator("*")(lambda state, event: state.update(other=event.event_type))
    store = await db.content_store("acme", domain)
    for event_type in ("a", "x", "b", "y"):
        await store.execute(event_of(event_type))
    assert await store.pstate.get_many(["named", "other"]) == {"named": "b", "other": "y"}


async def test_the_event_that_an_applicator_sees_has_no_ids_live_and_rebuilt_alike(db):
    seen = []
    domain = Domain("curious")

    @domain.applicator("t")
    def apply(state, event):
        for name in ("event_id", "space_id"):
            assert not hasattr(event, name)
        state["at"] = [event.space_sequence, event.timestamp, event.payload, event.entity_id]
        seen.append(event.space_sequence)

    store = await db.content_store("acme", domain)
    commit = await store.execute(event_of("t", a=1))
    live = await store.pstate.fetch("at")
    assert live == [1, commit.events[0].timestamp, {"a": 1}, "e"]
    seen.clear()
    await store.rebuild_pstate()
    assert seen == [1]
    assert await store.pstate.fetch("at") == live


async def test_a_type_handled_twice_is_an_error_at_once():
    one, two = counter("one"), counter("two")
    with pytest.raises(MisuseError, match="'added' is handled twice"):
        one.applicator("added")(lambda *_: None)
    with pytest.raises(MisuseError, match="'added' is handled twice"):
        Domain.combine(one, two)
    star = Domain("star", lambda *_: None)
    with pytest.raises(MisuseError, match="handled twice"):
        star.applicator("*")(lambda *_: None)
    with pytest.raises(MisuseError, match="handled twice"):
        Domain.combine(star, Domain("star 2", lambda *_: None))


async def test_domains_of_one_name_or_none_at_all_do_not_combine():
    with pytest.raises(MisuseError, match="equal names"):
        Domain.combine(counter("same"), documents("same"))
    one = counter()
    with pytest.raises(MisuseError, match="equal names"):
        Domain.combine(one, one)
    with pytest.raises(MisuseError):
        Domain.combine()


async def test_a_domain_in_use_takes_no_more_applicators(db):
    opened, part = counter(), documents()
    await db.content_store("acme", opened)
    Domain.combine(part, counter("other"))
    for domain in (opened, part):
        with pytest.raises(MisuseError, match="in use"):
            domain.applicator("late")(lambda *_: None)


@each("name", ["", None, 5, b"d"])
async def test_a_domain_needs_a_name(name):
    with pytest.raises(DataError, match="domain name"):
        Domain(name)


async def test_combined_domains_fold_what_each_of_them_folds(db):
    store = await db.content_store("acme", Domain.combine(counter(), documents()))
    await store.execute(add, 3)
    await store.execute(put, ("doc", {"a": 1}))
    assert await store.pstate.get_many(["n", "doc"]) == {"n": 3, "doc": {"a": 1}}
    commit = await store.execute(add)
    assert commit.events[0].entity_id == "n"  # the counter's extractor, for the counter's type


# -- whose fold a pstate is ------------------------------------------------------------------------


async def test_another_domain_may_read_and_append_but_not_move_the_pstate(db, store):
    await store.execute(add)
    other = await db.content_store("acme", documents())
    before = await dump(db)
    for attempt in (
        lambda: other.execute(put, ("a", {})),
        lambda: other.execute_many([(put, ("a", {}))]),
        lambda: other.execute(nothing),
    ):
        with pytest.raises(DomainMismatchError) as caught:
            await attempt()
        error = caught.value
        assert (error.space, error.missing) == ("acme", ("counter",))
        assert "rebuild_pstate" in str(error)
    async with other.transaction() as tx:
        with pytest.raises(DomainMismatchError):
            await tx.execute(put, ("a", {}))
    assert await dump(db) == before
    assert await other.pstate.fetch("n") == 1
    await other.events.append("n", "added", {"by": 4})
    with pytest.raises(DomainMismatchError):
        await other.catchup_pstate()
    assert await store.pstate.fetch("n") == 5


async def test_a_handle_without_a_domain_may_read_and_append_but_not_move_the_pstate(db, store):
    await store.execute(add)
    bare = await db.content_store("acme")
    for attempt in (
        lambda: bare.execute(add),
        lambda: bare.execute(event_of("x")),
        lambda: bare.execute(nothing),
    ):
        with pytest.raises(DomainMismatchError) as caught:
            await attempt()
        assert caught.value.missing == ("counter",)
    await bare.events.append("n", "added", {"by": 4})
    with pytest.raises(DomainMismatchError):
        await bare.catchup_pstate()
    assert await bare.pstate.fetch("n") == 1
    assert await store.pstate.fetch("n") == 5
    assert await bare.pstate.fetch("n") == 5


async def test_without_any_domain_commands_run_on_an_empty_state(db):
    bare = await db.content_store("acme")
    seen = []

    def look(state, params):
        seen.append(dict(state))
        return event_of("x")(state, params)

    assert (await bare.execute(look)).space_sequence == 1
    assert (await bare.execute(look)).space_sequence == 2
    assert seen[-1] == {}


async def test_a_superset_that_brings_nothing_late_goes_on(db, store):
    await store.execute(add)
    both = await db.content_store("acme", Domain.combine(counter(), documents()))
    await both.execute(put, ("a", {"x": 1}))
    assert await both.pstate.get_many(["n", "a"]) == {"n": 1, "a": {"x": 1}}
    with pytest.raises(DomainMismatchError) as caught:  # the set has grown
        await store.execute(add)
    assert caught.value.missing == ("documents",)


async def test_a_superset_that_should_have_folded_what_is_past_is_refused(db, store):
    await store.execute(add)
    await store.execute(lambda *_: [NewEvent("doc.put", {"x": 1}, entity_id="a")])
    both = await db.content_store("acme", Domain.combine(counter(), documents()))
    before = await dump(db)
    with pytest.raises(DomainMismatchError) as caught:
        await both.execute(add)
    assert caught.value.missing == ("documents",)
    assert "doc.put" in str(caught.value)
    assert await dump(db) == before
    assert await both.rebuild_pstate() == 2
    await both.execute(add)
    assert await both.pstate.get_many(["n", "a"]) == {"n": 2, "a": {"x": 1}}


async def test_a_rebuild_records_the_new_set(db, store):
    await store.execute(add)
    other = await db.content_store("acme", documents())
    await other.rebuild_pstate()
    assert await other.pstate.count() == 0
    await other.execute(put, ("a", {}))
    with pytest.raises(DomainMismatchError) as caught:
        await store.execute(add)
    assert caught.value.missing == ("documents",)
    await store.rebuild_pstate()
    await store.execute(add)
    assert await store.pstate.fetch("n") == 2
    assert await store.pstate.get("a") is None


async def test_whose_fold_it_is_outlives_the_process(durable_url):
    async with ramax.connect(durable_url) as db:
        await (await db.content_store("acme", counter())).execute(add)
    async with ramax.connect(durable_url) as db:
        with pytest.raises(DomainMismatchError):
            await (await db.content_store("acme", documents())).execute(put, ("a", {}))
        again = await db.content_store("acme", Domain.combine(counter(), documents()))
        await again.execute(put, ("a", {}))


async def test_a_domain_change_by_another_database_object_is_noticed(durable_url):
    async with ramax.connect(durable_url) as here, ramax.connect(durable_url) as there:
        mine = await here.content_store("acme", counter())
        await mine.execute(add)
        theirs = await there.content_store("acme", documents())
        await theirs.rebuild_pstate()
        with pytest.raises(DomainMismatchError):
            await mine.execute(add)


# -- catching up -----------------------------------------------------------------------------------


async def test_raw_appends_leave_the_checkpoint_behind_and_the_next_command_folds(db, store):
    await store.execute(add)
    await store.events.append("n", "added", {"by": 5})
    await db.events.append("acme", "n", "added", {"by": 10})
    assert await store.get_checkpoint() == 1
    commit = await store.execute(add_read)
    assert commit.events[0].payload["was"] == 16
    assert commit.space_sequence == await store.get_checkpoint() == 4


async def test_catching_up_twice_is_catching_up_once(db, store):
    await db.events.append_many("acme", [NewEvent("added", {"by": 1}, entity_id="n")] * 10)
    assert await store.catchup_pstate() == 10
    before = await dump(db)
    assert await store.catchup_pstate() == 0
    assert await dump(db) == before
    assert await store.pstate.fetch("n") == 10


async def test_many_that_catch_up_at_once_fold_each_event_once(db, store):
    await db.events.append_many("acme", [NewEvent("added", {"by": 1}, entity_id="n")] * 100)
    folded = await asyncio.gather(*(store.catchup_pstate() for _ in range(5)))
    assert sum(folded) == 100
    assert await store.pstate.fetch("n") == 100


async def test_appends_and_commands_at_once_are_each_folded_once(db, store):
    await asyncio.gather(
        *(store.execute(add) for _ in range(25)),
        *(store.events.append("n", "added", {"by": 1}) for _ in range(25)),
    )
    assert await store.pstate.fetch("n") == 50
    assert await store.get_checkpoint() == 50


async def test_a_deleted_key_stays_deleted_over_catch_up_and_rebuild(db):
    store = await db.content_store("acme", documents())
    await store.execute(put, ("a", {}))
    await store.execute(delete, "a")
    assert await store.pstate.get("a") is None
    await db.events.append("acme", "a", "doc.put", {"x": 1})
    await db.events.append("acme", "a", "doc.deleted", {})
    assert await store.pstate.get("a") is None
    await store.rebuild_pstate()
    assert await store.pstate.get("a") is None
    assert (await dump(db))["pstate_entities"] == []
