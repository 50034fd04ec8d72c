"""`ContentStore`: commands in, events and read model out."""

import asyncio
import functools

import pytest

import ramax
from ramax import (
    Commit,
    ConcurrencyError,
    DataError,
    Domain,
    MisuseError,
    NewEvent,
    Rejected,
)
from ramax.errors import (
    CodecError,
    NestedTransactionError,
    SpaceNotFoundError,
)
from tests._domains import add, add_read, counter, documents, nothing, put, refuse
from tests._each import each
from tests._tables import dump
from tests._values import EVERY_TYPE, UNSTORABLE, same

BAD_SEQUENCES = [-1, 2**63, 10**40, "1", 1.0, True]


@pytest.fixture
async def store(db):
    return await db.content_store("acme", counter())


# -- the handle ------------------------------------------------------------------------------------


async def test_a_store_is_a_space_and_a_domain_and_cannot_be_changed(db):
    domain = counter()
    store = await db.content_store("acme", domain, metadata={"plan": "gold"})
    assert store.space == await db.spaces.get("acme")
    assert store.domain is domain
    for name in ("space", "domain", "pstate", "events", "other"):
        with pytest.raises(MisuseError, match="immutable"):
            setattr(store, name, None)
    assert "acme" in repr(store)
    assert "counter" in repr(store)


async def test_a_store_opens_by_space_id_or_name(db):
    made = await db.spaces.create("acme")
    for given in (made, made.space_id, "acme"):
        assert (await db.content_store(given)).space.space_id == made.space_id
        assert (await db.content_store(given, create=False)).space.space_id == made.space_id


async def test_opening_creates_what_is_missing_unless_told_otherwise(db):
    with pytest.raises(SpaceNotFoundError):
        await db.content_store("acme", create=False)
    assert not await db.spaces.exists("acme")
    store = await db.content_store("acme")
    assert store.space == await db.spaces.get("acme")
    for missing in (77, ramax.Space(77, "ghost", store.space.created_at)):
        with pytest.raises(SpaceNotFoundError):
            await db.content_store(missing)
    assert [s.space_name for s in await db.spaces.list_all()] == ["default", "acme"]


@each("wrong", ["counter", counter, 5, [counter()]])
async def test_what_is_no_domain_is_refused(db, wrong):
    with pytest.raises(MisuseError, match="Domain"):
        await db.content_store("acme", wrong)
    assert not await db.spaces.exists("acme")


async def test_ten_thousand_stores_need_no_more_connections(durable_db):
    await durable_db.spaces.create("acme")
    space = await durable_db.spaces.get("acme")
    domain = counter()
    stores = [ramax.ContentStore(durable_db._core, space, domain) for _ in range(10_000)]
    await asyncio.gather(*(store.execute(add) for store in stores[:100]))
    assert await stores[-1].pstate.fetch("n") == 100
    pool = durable_db.engine.pool
    assert pool.checkedout() <= 1


# -- commands --------------------------------------------------------------------------------------


async def test_a_command_gives_the_commit_of_its_events(db, store):
    commit = await store.execute(add, 5, causation_id=3, correlation_id="web")
    assert isinstance(commit, Commit)
    [event] = commit.events
    assert commit.event_ids == (event.event_id,) == (1,)
    assert commit.space_sequence == event.space_sequence == 1
    assert commit.replayed is False
    assert (event.event_type, event.entity_id, event.payload) == ("added", "n", {"by": 5})
    assert (event.causation_id, event.correlation_id) == (3, "web")
    assert event == await db.events.get_event(event.event_id)
    with pytest.raises(AttributeError):
        commit.events = ()  # type: ignore[misc]


async def test_a_command_without_events_is_a_commit_at_the_head(db, store):
    await store.execute(add)
    before = await dump(db)
    commit = await store.execute(nothing)
    assert (commit.events, commit.event_ids, commit.space_sequence) == ((), (), 1)
    assert await dump(db) == before


async def test_a_refusal_reaches_the_caller_and_writes_nothing(db, store):
    class TooMany(Rejected):
        def __init__(self, limit):
            self.limit = limit
            super().__init__(f"at most {limit}")

    def full(state, params):
        raise TooMany(params)

    await store.execute(add)
    before = await dump(db)
    with pytest.raises(TooMany, match="at most 5") as caught:
        await store.execute(full, 5)
    assert caught.value.limit == 5
    assert await dump(db) == before


async def test_whatever_a_command_raises_is_the_callers(db, store):
    def broken(state, params):
        return state["missing"]

    before = await dump(db)
    with pytest.raises(KeyError, match="missing"):
        await store.execute(broken)
    assert await dump(db) == before
    assert (await store.execute(add)).space_sequence == 1


async def test_params_reach_the_command_untouched(store):
    class Params:
        pass

    params, seen = Params(), []

    def look(state, given):
        seen.append(given)
        return []

    for given in (params, None, [1], "text", {1: object()}):
        seen.clear()
        await store.execute(look, given)
        assert all(each is given for each in seen)
        assert seen


async def test_any_callable_may_be_a_command(store):
    class Adder:
        def __call__(self, _state, _params):
            return [NewEvent("added", {"by": 10})]

        def method(self, _state, _params):
            yield NewEvent("added", {"by": 100})

    await store.execute(Adder())
    await store.execute(Adder().method)
    await store.execute(functools.partial(add), 1000)
    await store.execute(lambda *_: (NewEvent("added", {"by": 10_000}),))
    assert await store.pstate.fetch("n") == 11_110


async def test_the_events_of_one_command_share_a_moment_and_keep_their_own_causes(store):
    def many(state, params):
        return [
            NewEvent("added", {"by": 1}, causation_id=1, metadata={"a": 1}),
            NewEvent("added", {"by": 1}, correlation_id="own", entity_id="other"),
        ]

    commit = await store.execute(many, causation_id=7, correlation_id="call")
    first, second = commit.events
    assert (first.causation_id, first.correlation_id, first.metadata) == (1, "call", {"a": 1})
    assert (second.causation_id, second.correlation_id, second.metadata) == (7, "own", None)
    assert (first.entity_id, second.entity_id) == ("n", "other")
    assert first.timestamp == second.timestamp


async def test_a_command_sees_what_the_one_before_it_did(store):
    commits = await asyncio.gather(*(store.execute(add_read) for _ in range(50)))
    assert sorted(c.events[0].payload["was"] for c in commits) == list(range(50))
    assert sorted(c.space_sequence for c in commits) == list(range(1, 51))
    assert await store.pstate.fetch("n") == 50


async def test_expected_sequence_guards_a_command(db, store):
    await store.execute(add, expected_sequence=0)
    before = await dump(db)
    for wrong in (0, 2, 2**63 - 1):
        with pytest.raises(ConcurrencyError) as caught:
            await store.execute(add, expected_sequence=wrong)
        error = caught.value
        assert (error.space, error.expected, error.actual) == ("acme", wrong, 1)
        with pytest.raises(ConcurrencyError):
            await store.execute_many([(add, None), (add, None)], expected_sequence=wrong)
    assert await dump(db) == before
    assert (await store.execute(add, expected_sequence=1)).space_sequence == 2


async def test_what_a_command_does_to_its_state_goes_nowhere(db):
    store = await db.content_store("acme", documents())
    await store.execute(put, ("a", {"tags": ["x"]}))

    def meddle(state, params):
        state["a"]["tags"].append("mine")
        assert state["a"]["tags"] == ["x", "mine"]
        return []

    def write(state, params):
        state["b"] = 1
        return []

    await store.execute(meddle)
    with pytest.raises(MisuseError):
        await store.execute(write)
    assert await store.pstate.fetch("a") == {"tags": ["x"]}
    assert await store.pstate.count() == 1


async def test_what_a_commit_holds_is_the_callers_own(db):
    store = await db.content_store("acme", documents())
    shared = {"tags": ["x"]}
    commit = await store.execute(put, ("a", shared))
    shared["tags"].append("mine")
    commit.events[0].payload["tags"].append("mine")
    assert await store.pstate.fetch("a") == {"tags": ["x"]}
    stored = await store.events.get_event(commit.event_ids[0])
    assert stored.payload == {"tags": ["x"]}


async def test_two_keys_never_share_a_value(db):
    domain = Domain("twins")

    @domain.applicator("made")
    def made(state, event):
        state["a"] = state["b"] = event.payload

    @domain.applicator("changed")
    def changed(state, event):
        state["a"]["tags"].append("only a")

    store = await db.content_store("acme", domain)
    await store.execute(lambda *_: [NewEvent("made", {"tags": []}, entity_id="e")])
    await store.execute(lambda *_: [NewEvent("changed", {}, entity_id="e")])
    assert await store.pstate.get_many(["a", "b"]) == {"a": {"tags": ["only a"]}, "b": {"tags": []}}


# -- several commands as one -----------------------------------------------------------------------


async def test_several_commands_are_one_unit(store):
    commits = await store.execute_many([(add, 1), (nothing, None), (add_read, None)])
    assert [len(commit.events) for commit in commits] == [1, 0, 1]
    assert [commit.space_sequence for commit in commits] == [1, 1, 2]
    assert commits[2].events[0].payload["was"] == 1
    assert await store.pstate.fetch("n") == 2
    assert await store.execute_many([]) == []
    assert len(await store.execute_many((add, None) for _ in range(3))) == 3


async def test_of_several_commands_all_happen_or_none(db, store):
    await store.execute(add)
    before = await dump(db)
    with pytest.raises(Rejected):
        await store.execute_many([(add, None), (add, None), (refuse, None)])
    with pytest.raises(CodecError):
        await store.execute_many([(add, 1), (lambda *_: [NewEvent("x", {"o": object()})], None)])
    assert await dump(db) == before
    assert (await store.execute(add)).space_sequence == 2


@each("wrong", [None, 5, "text", [add], [(add,)], [(add, 1, 2)], [[add, 1]]])
async def test_what_is_no_list_of_commands_is_refused(db, store, wrong):
    before = await dump(db)
    with pytest.raises(DataError, match="execute_many"):
        await store.execute_many(wrong)
    assert await dump(db) == before


# -- bad input -------------------------------------------------------------------------------------


async def refused(db, *attempts, error=DataError):
    before = await dump(db)
    for attempt in attempts:
        with pytest.raises(error) as caught:
            await attempt()
        assert str(caught.value)
    assert await dump(db) == before


@each(
    "rubbish",
    [None, 5, "text", b"x", {}, {"a": 1}, [None], ["added"], [("added", {})], [NewEvent], True],
)
async def test_a_command_that_returns_rubbish_is_named(db, store, rubbish):
    def rubbishy(state, params):
        return rubbish

    await refused(db, lambda: store.execute(rubbishy), error=MisuseError)
    with pytest.raises(MisuseError, match="rubbishy"):
        await store.execute(rubbishy)


async def test_an_async_command_is_refused(db, store):
    async def late(state, params):
        return []

    await refused(db, lambda: store.execute(late), error=MisuseError)
    with pytest.raises(MisuseError, match="late"):
        await store.execute(late)


@each("wrong", [None, 5, "add", NewEvent("added"), [add]])
async def test_what_is_no_command_is_refused(db, store, wrong):
    await refused(
        db,
        lambda: store.execute(wrong),
        lambda: store.execute_many([(add, 1), (wrong, 1)]),
        error=MisuseError,
    )


async def test_arguments_that_break_the_rules_are_refused(db, store):
    await refused(
        db,
        *(lambda b=b: store.execute(add, expected_sequence=b) for b in BAD_SEQUENCES),
        *(lambda b=b: store.execute_many([(add, 1)], expected_sequence=b) for b in BAD_SEQUENCES),
        *(lambda b=b: store.execute(add, causation_id=b) for b in (0, -1, 2**63, "1", True)),
        *(lambda b=b: store.execute(add, correlation_id=b) for b in ("", 5, "a\x00", "x" * 256)),
        *(lambda b=b: store.execute(add, idempotency_key=b) for b in ("", 5, "a\x00", "x" * 256)),
        lambda: store.execute(add, object(), idempotency_key="k"),
    )


@each("value", UNSTORABLE)
async def test_a_payload_that_cannot_be_stored_fails_the_whole_command(db, store, value):
    def third(state, params):
        return [*add(state, 1), *add(state, 1), NewEvent("added", {"by": 1, "x": value})]

    await store.execute(add)
    await refused(db, lambda: store.execute(third), error=CodecError)
    await store.execute(add)


async def test_new_events_that_break_the_rules_fail_the_whole_command(db, store):
    bad = [
        NewEvent("", {}),
        NewEvent("x" * 256, {}),
        NewEvent("a\x00", {}),
        NewEvent("\ud800", {}),
        NewEvent(5, {}),  # type: ignore[arg-type]
        NewEvent("added", {"by": 1}, entity_id=""),
        NewEvent("added", {"by": 1}, entity_id="x" * 1025),
        NewEvent("added", {"by": 1}, entity_id="a\x00"),
        NewEvent("added", {"by": 1}, entity_id=5),  # type: ignore[arg-type]
        NewEvent("added", {"by": 1, "id": 5}),  # the extractor gives what is no entity id
        NewEvent("added", {"by": 1}, causation_id=0),
        NewEvent("added", {"by": 1}, correlation_id=""),
        NewEvent("added", {"by": 1}, metadata={1: 1}),  # type: ignore[dict-item]
        NewEvent("added", [1]),  # type: ignore[arg-type]
        NewEvent("added", None),  # type: ignore[arg-type]
        NewEvent("added", {1: 1}),  # type: ignore[dict-item]
    ]
    for event in bad:
        await refused(db, lambda e=event: store.execute(lambda state, _: [*add(state, 1), e]))


@each("key", ["", 5, "a\x00", "\ud800", "x" * 1025, None])
async def test_a_pstate_key_that_breaks_the_rules_fails_the_command(db, key):
    domain = Domain("keys")

    @domain.applicator("t")
    def apply(state, event):
        state["fine"] = 1
        state[key] = 1

    store = await db.content_store("acme", domain)
    await refused(db, lambda: store.execute(lambda *_: [NewEvent("t", {}, entity_id="e")]))


async def test_every_type_travels_through_a_command(db):
    store = await db.content_store("acme", documents())
    commit = await store.execute(put, ("a", EVERY_TYPE))
    assert same(commit.events[0].payload, EVERY_TYPE)
    seen = []

    def look(state, params):
        seen.append(state["a"])
        return []

    await store.execute(look)
    assert same(seen[-1], EVERY_TYPE)


# -- rebuilding, as a user sees it -----------------------------------------------------------------


async def test_a_rebuild_counts_reports_and_changes_nothing_that_is_right(db, store):
    for _ in range(5):
        await store.execute(add)
    before = (await dump(db))["pstate_entities"]
    reports: list[ramax.Progress] = []
    assert await store.rebuild_pstate(progress=reports.append) == 5
    assert (reports[-1].done, reports[-1].total) == (5, 5)
    assert reports[-1].seconds >= 0
    assert (await dump(db))["pstate_entities"] == before


async def test_default_has_nothing_to_rebuild_or_catch_up(db):
    store = await db.content_store("default", counter())
    assert await store.rebuild_pstate() == 0
    assert await store.catchup_pstate() == 0


# -- transactions of a store, as far as they concern the handle ------------------------------------


async def test_a_transaction_over_the_unsaved_default_folds_with_the_stores_domain(db):
    store = await db.content_store("default", counter())
    async with store.transaction() as tx:
        await tx.execute(add)
        assert await tx.pstate.get("n") == 1
    assert await store.pstate.fetch("n") == 1
    async with store.transaction() as tx:  # and again, now that the row is there
        await tx.execute(add)
    assert await store.pstate.fetch("n") == 2


async def test_a_handle_is_not_used_inside_a_transaction_of_its_task(db, store):
    async with store.transaction() as tx:
        for attempt in (
            lambda: store.execute(add),
            lambda: store.pstate.get("n"),
            lambda: store.pstate.put("n", 1),
            lambda: store.get_checkpoint(),
            lambda: store.events.append("e", "t", {}),
            lambda: db.spaces.list_all(),
            lambda: db.spaces.create("other"),
        ):
            with pytest.raises(NestedTransactionError):
                await attempt()
        await tx.execute(add)
    assert await store.pstate.fetch("n") == 1
