"""`ContentStore`: commands in, events and read model out; whose fold a pstate is."""

import asyncio
import functools
from typing import Any

import pytest

import ramax
from ramax import (
    Commit,
    ConcurrencyError,
    DataError,
    Domain,
    DomainMismatchError,
    MisuseError,
    NewEvent,
    Rejected,
)
from ramax.errors import (
    CodecError,
    FoldError,
    IdempotencyConflictError,
    NestedTransactionError,
    SpaceNotFoundError,
)
from tests._domains import add, add_read, counter, delete, documents, nothing, put, refuse
from tests._each import each
from tests._tables import dump
from tests._values import EVERY_TYPE, UNSTORABLE, same

BAD_SEQUENCES = [-1, 2**63, 10**40, "1", 1.0, True]


@pytest.fixture
async def store(db):
    return await db.content_store("acme", counter())


# -- the handle ----------------------------------------------------------------------------------


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


# -- commands ------------------------------------------------------------------------------------


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


# -- several commands as one ---------------------------------------------------------------------


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


# -- idempotency keys ----------------------------------------------------------------------------


async def test_a_repeat_gets_the_first_answer(db, store):
    await store.execute(add)
    first = await store.execute(add, 5, idempotency_key="k")
    before = await dump(db)
    again = await store.execute(add, 5, idempotency_key="k")
    assert not first.replayed
    assert again.replayed
    assert (again.events, again.space_sequence) == (first.events, first.space_sequence)
    assert await dump(db) == before
    assert await store.pstate.fetch("n") == 6


async def test_a_key_with_other_content_is_a_conflict(db, store):
    await store.execute(add, 5, idempotency_key="k")
    before = await dump(db)
    for attempt in (
        lambda: store.execute(add, 6, idempotency_key="k"),
        lambda: store.execute(add_read, 5, idempotency_key="k"),
        lambda: store.execute_many([(add, 5), (add, 5)], idempotency_key="k"),
        lambda: store.events.append("n", "added", {"by": 5}, idempotency_key="k"),
    ):
        with pytest.raises(IdempotencyConflictError) as caught:
            await attempt()
        assert (caught.value.space, caught.value.key) == ("acme", "k")
    assert await dump(db) == before


async def test_a_command_that_did_nothing_is_remembered_and_a_refusal_is_not(store):
    first = await store.execute(nothing, idempotency_key="nothing")
    await store.execute(add)
    again = await store.execute(nothing, idempotency_key="nothing")
    assert (again.events, again.space_sequence, again.replayed) == ((), 0, True)
    assert first.space_sequence == 0

    def no_then_yes(state, params):
        if not state.get("n", 0) > 1:
            raise Rejected
        return add(state, 1)

    with pytest.raises(Rejected):
        await store.execute(no_then_yes, idempotency_key="later")
    await store.execute(add)
    assert not (await store.execute(no_then_yes, idempotency_key="later")).replayed


async def test_equal_keys_at_the_same_moment_happen_once(store):
    commits = await asyncio.gather(
        *(store.execute(add, 1, idempotency_key=f"k{n % 5}") for n in range(50))
    )
    assert await store.pstate.fetch("n") == 5
    assert sum(not commit.replayed for commit in commits) == 5
    for n, commit in enumerate(commits):
        assert commit.event_ids == commits[n % 5].event_ids


async def test_several_commands_repeat_as_one(store):
    pairs = [(add, 1), (nothing, None), (add, 2)]
    first = await store.execute_many(pairs, idempotency_key="k")
    again = await store.execute_many(pairs, idempotency_key="k")
    assert [c.events for c in again] == [c.events for c in first]
    assert [c.space_sequence for c in again] == [c.space_sequence for c in first]
    assert all(c.replayed for c in again)


async def test_keys_are_the_spaces_own(db, store):
    other = await db.content_store("other", counter())
    await store.execute(add, idempotency_key="k")
    assert not (await other.execute(add, idempotency_key="k")).replayed


async def test_keys_outlive_the_process(durable_url):
    for replayed in (False, True):
        async with ramax.connect(durable_url) as db:
            store = await db.content_store("acme", counter())
            commit = await store.execute(add, 1, idempotency_key="k")
            assert (commit.replayed, commit.event_ids) == (replayed, (1,))


# -- bad input -----------------------------------------------------------------------------------


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


# -- domains -------------------------------------------------------------------------------------


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


# -- whose fold a pstate is ----------------------------------------------------------------------


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


# -- catching up ---------------------------------------------------------------------------------


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


# -- rebuilding, as a user sees it ---------------------------------------------------------------


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


# -- transactions of a store, as far as they concern the handle ----------------------------------


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
