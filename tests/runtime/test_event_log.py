"""`db.events` and `store.events`: appending to and reading from the logs of spaces."""

import asyncio
from datetime import UTC, datetime, timedelta
from types import MappingProxyType

import pytest
from hypothesis import HealthCheck, given, settings

import ramax
from ramax import ConcurrencyError, DataError, Event, MisuseError, NewEvent
from ramax.errors import CodecError, EventNotFoundError, IdempotencyConflictError
from tests._domains import add, counter
from tests._each import each
from tests._tables import dump
from tests._values import EVERY_TYPE, UNSTORABLE, payloads, same

LIMIT = 16 * 1024 * 1024


def facts(*types, entity="e"):
    return [NewEvent(t, {"n": n}, entity_id=entity) for n, t in enumerate(types)]


async def drain(stream):
    return [each async for each in stream]


async def sequences(stream):
    return [event.space_sequence async for event in stream]


# -- appending -----------------------------------------------------------------------------------


async def test_an_append_gives_the_event_with_every_field(db):
    space = await db.spaces.create("acme")
    before = datetime.now(UTC) - timedelta(seconds=1)
    event = await db.events.append(
        space, "order:1", "order.placed", {"total": 5}, causation_id=7, correlation_id="web-1"
    )
    assert isinstance(event, Event)
    assert event.event_id == 1
    assert (event.space_id, event.space_sequence) == (space.space_id, 1)
    assert (event.entity_id, event.event_type) == ("order:1", "order.placed")
    assert event.payload == {"total": 5}
    assert (event.causation_id, event.correlation_id, event.metadata) == (7, "web-1", None)
    assert before < event.timestamp < datetime.now(UTC) + timedelta(seconds=1)
    assert event.timestamp.utcoffset() == timedelta(0)
    assert await db.events.get_event(event.event_id) == event
    assert await drain(db.events.stream_space_events(space)) == [event]
    with pytest.raises(AttributeError):
        event.payload = {}


async def test_a_space_may_be_given_as_space_id_or_name(db):
    space = await db.spaces.create("acme")
    for number, given_as in enumerate([space, space.space_id, "acme"], start=1):
        event = await db.events.append(given_as, "e", "t", {})
        assert event.space_sequence == number
        assert await db.events.get_space_latest_sequence(given_as) == number
        assert len(await db.events.get_events(given_as, "e")) == number
        assert len(await drain(db.events.stream_entity_events(given_as, "e"))) == number


async def test_several_events_are_appended_in_order_as_one(db):
    await db.spaces.create("acme")
    await db.events.append("acme", "e", "first", {})
    events = await db.events.append_many(
        "acme",
        [
            NewEvent("a", {"n": 1}, entity_id="x", causation_id=1),
            NewEvent("b", {"n": 2}, entity_id="y", correlation_id="own", metadata={"k": [1]}),
            NewEvent("c", {"n": 3}, entity_id="z"),
        ],
        causation_id=9,
        correlation_id="call",
    )
    assert [e.space_sequence for e in events] == [2, 3, 4]
    assert [e.event_id for e in events] == [2, 3, 4]
    assert [e.event_type for e in events] == ["a", "b", "c"]
    assert [e.causation_id for e in events] == [1, 9, 9]
    assert [e.correlation_id for e in events] == ["call", "own", "call"]
    assert [e.metadata for e in events] == [None, {"k": [1]}, None]
    assert len({e.timestamp for e in events}) == 1
    assert await drain(db.events.stream_space_events("acme", from_sequence=1)) == events


async def test_keyed_appends_take_any_mapping_and_name_what_is_wrong(db):
    await db.spaces.create("acme")
    payload = MappingProxyType({"n": 1})
    first = await db.events.append("acme", "e", "t", payload, idempotency_key="k")
    assert await db.events.append("acme", "e", "t", {"n": 1}, idempotency_key="k") == first
    with pytest.raises(CodecError, match="payload of t"):
        await db.events.append("acme", "e", "t", {"x": object()}, idempotency_key="other")
    with pytest.raises(MisuseError, match="NewEvent"):
        await db.events.append_many("acme", [{"event_type": "t"}], idempotency_key="other")


async def test_appending_nothing_writes_nothing(db):
    await db.spaces.create("acme")
    before = await dump(db)
    assert await db.events.append_many("acme", []) == []
    assert await db.events.append_many("default", []) == []
    assert await dump(db) == before


async def test_each_space_counts_from_one_and_ids_are_unique_over_all(db):
    events = []
    for number in range(3):
        for name in ("a", "b", "default"):
            await db.spaces.get_or_create(name)
            events.append(await db.events.append(name, "e", "t", {"n": number}))
    assert [e.space_sequence for e in events] == [1, 1, 1, 2, 2, 2, 3, 3, 3]
    ids = [e.event_id for e in events]
    assert ids == sorted(set(ids))


async def test_concurrent_appends_leave_no_gap(db):
    await db.spaces.create("a")
    await db.spaces.create("b")
    events = await asyncio.gather(
        *(db.events.append(name, "e", "t", {"n": n}) for n in range(50) for name in ("a", "b"))
    )
    for name in ("a", "b"):
        stored = await drain(db.events.stream_space_events(name))
        assert [e.space_sequence for e in stored] == list(range(1, 51))
        assert {e.event_id for e in stored} <= {e.event_id for e in events}
        assert sorted(e.payload["n"] for e in stored) == list(range(50))


async def test_expected_sequence_guards_an_append(db):
    await db.spaces.create("acme")
    await db.events.append("acme", "e", "t", {}, expected_sequence=0)
    before = await dump(db)
    for wrong in (0, 2, 2**63 - 1):
        with pytest.raises(ConcurrencyError) as caught:
            await db.events.append("acme", "e", "t", {}, expected_sequence=wrong)
        error = caught.value
        assert (error.space, error.expected, error.actual) == ("acme", wrong, 1)
        assert error.retryable
    assert await dump(db) == before
    assert (await db.events.append("acme", "e", "t", {}, expected_sequence=1)).space_sequence == 2


async def test_of_two_appends_that_expect_the_same_sequence_one_wins(db):
    await db.spaces.create("acme")
    outcomes = await asyncio.gather(
        *(db.events.append("acme", "e", "t", {}, expected_sequence=0) for _ in range(5)),
        return_exceptions=True,
    )
    assert sum(isinstance(o, Event) for o in outcomes) == 1
    assert sum(isinstance(o, ConcurrencyError) for o in outcomes) == 4


async def test_an_append_by_idempotency_key_happens_once(db):
    await db.spaces.create("acme")
    first = await db.events.append("acme", "e", "t", {"n": 1}, idempotency_key="k")
    again = await db.events.append("acme", "e", "t", {"n": 1}, idempotency_key="k")
    assert again == first
    assert await db.events.get_space_latest_sequence("acme") == 1
    with pytest.raises(IdempotencyConflictError):
        await db.events.append("acme", "e", "t", {"n": 2}, idempotency_key="k")


async def test_the_time_of_events_never_falls_in_a_space(db, monkeypatch):
    await db.spaces.create("acme")
    clock = iter([5_000_000, 3_000_000, 4_000_000, 9_000_000])
    monkeypatch.setattr(db._core.attempts, "clock", lambda: next(clock))
    for _ in range(4):
        await db.events.append("acme", "e", "t", {})
    seconds = [e.timestamp.timestamp() for e in await db.events.get_events("acme", "e")]
    assert seconds == [5, 5, 5, 9]


async def test_what_an_append_was_given_is_not_kept(db):
    await db.spaces.create("acme")
    payload, metadata = {"tags": ["a"]}, {"m": [1]}
    event = await db.events.append("acme", "e", "t", payload, metadata=metadata)
    payload["tags"].append("b")
    metadata["m"].append(2)
    event.payload["tags"].append("c")
    stored = await db.events.get_event(event.event_id)
    assert (stored.payload, stored.metadata) == ({"tags": ["a"]}, {"m": [1]})
    stored.payload.clear()
    assert (await db.events.get_event(event.event_id)).payload == {"tags": ["a"]}


# -- bad input -----------------------------------------------------------------------------------

BAD_TEXT = ["", None, 5, b"e", "a\x00b", "\ud800", "é" * 513, "x" * 1025, ["e"]]
BAD_NAME = ["", None, 5, b"t", "a\x00b", "\udfff", "x" * 256, "é" * 128]
BAD_SEQUENCE = [-1, 2**63, 10**40, "1", 1.0, True]


async def refused(db, *attempts, error=DataError):
    """Each attempt fails with an error that names the value and the rule; nothing is written."""
    before = await dump(db)
    for attempt in attempts:
        with pytest.raises(error) as caught:
            await attempt()
        if isinstance(caught.value, DataError):
            assert caught.value.rule
            assert caught.value.rule in str(caught.value)
            assert caught.value.what in str(caught.value)
    assert await dump(db) == before


async def test_bad_entity_ids_are_refused(db):
    await db.spaces.create("acme")
    for bad in BAD_TEXT:
        await refused(
            db,
            lambda b=bad: db.events.append("acme", b, "t", {}),
            lambda b=bad: db.events.append_many(
                "acme", [*facts("ok"), NewEvent("t", {}, entity_id=b)]
            ),
        )
        if bad is not None:
            await refused(db, lambda b=bad: db.events.get_events("acme", b))
            await refused(db, lambda b=bad: drain(db.events.stream_entity_events("acme", b)))
    assert (await db.events.append("acme", "é" * 512, "t", {})).entity_id == "é" * 512
    assert (await db.events.append("acme", "x" * 1024, "t", {})).entity_id == "x" * 1024


async def test_bad_event_types_are_refused(db):
    await db.spaces.create("acme")
    for bad in BAD_NAME:
        await refused(
            db,
            lambda b=bad: db.events.append("acme", "e", b, {}),
            lambda b=bad: db.events.append_many(
                "acme", [*facts("ok"), NewEvent(b, {}, entity_id="e")]
            ),
            lambda b=bad: drain(db.events.stream_space_events("acme", event_types=[b])),
        )
    await refused(db, lambda: drain(db.events.stream_space_events("acme", event_types="t")))
    assert (await db.events.append("acme", "e", "é" * 127, {})).event_type == "é" * 127


@each("payload", [None, [], "text", 5, b"x", {1: 2}, {"a": 1, None: 2}])
async def test_a_payload_that_is_no_mapping_of_text_is_refused(db, payload):
    await db.spaces.get_or_create("acme")
    await refused(
        db,
        lambda: db.events.append("acme", "e", "t", payload),
        lambda: db.events.append("acme", "e", "t", {}, metadata=payload or 0),
        error=CodecError,
    )


@each("value", UNSTORABLE)
async def test_values_that_would_not_come_back_are_refused(db, value):
    await db.spaces.get_or_create("acme")
    await refused(
        db,
        lambda: db.events.append("acme", "e", "t", {"deep": [{"x": value}]}),
        lambda: db.events.append("acme", "e", "t", {}, metadata={"x": value}),
        lambda: db.events.append_many(
            "acme", [*facts("ok", "ok"), NewEvent("t", {"x": value}, entity_id="e")]
        ),
        error=CodecError,
    )


async def test_causes_that_break_the_rules_are_refused(db):
    await db.spaces.create("acme")
    for bad in (0, -1, 2**63, "1", 1.5, True):
        await refused(
            db,
            lambda b=bad: db.events.append("acme", "e", "t", {}, causation_id=b),
            lambda b=bad: db.events.append_many(
                "acme", [NewEvent("t", {}, entity_id="e", causation_id=b)]
            ),
        )
    for text in ("", 5, b"c", "a\x00", "\ud800", "x" * 256):
        await refused(
            db,
            lambda b=text: db.events.append("acme", "e", "t", {}, correlation_id=b),
            lambda b=text: db.events.append_many(
                "acme", [NewEvent("t", {}, entity_id="e", correlation_id=b)]
            ),
        )


async def test_sequences_that_are_none_are_refused(db):
    await db.spaces.create("acme")
    for bad in BAD_SEQUENCE:
        await refused(
            db,
            lambda b=bad: db.events.append("acme", "e", "t", {}, expected_sequence=b),
            lambda b=bad: drain(db.events.stream_space_events("acme", from_sequence=b)),
            lambda b=bad: drain(db.events.stream_space_events("acme", to_sequence=b)),
            lambda b=bad: drain(db.events.stream_entity_events("acme", "e", from_sequence=b)),
            lambda b=bad: drain(db.events.stream_all_events(from_event_id=b)),
            lambda b=bad: db.events.get_events("acme", "e", to_sequence=b),
            lambda b=bad: db.events.get_events("acme", "e", limit=b),
            lambda b=bad: drain(db.events.stream_space_events("acme", batch_size=b)),
            lambda b=bad: db.events.get_event(b),
        )
    await refused(db, lambda: drain(db.events.stream_space_events("acme", batch_size=0)))
    await refused(db, lambda: drain(db.events.stream_all_events(batch_size=0)))


@each("bad", [[None], ["t"], [{"event_type": "t"}], 5, None, "events"])
async def test_what_is_no_new_event_is_refused(db, bad):
    await db.spaces.get_or_create("acme")
    await refused(db, lambda: db.events.append_many("acme", bad), error=MisuseError)


async def test_a_payload_is_taken_up_to_16_mib_and_not_one_byte_more(db):
    await db.spaces.create("acme")
    overhead = len(b"\x81\xa1b\xc6") + 4  # map of one, key, bin32 with its length
    exact = await db.events.append("acme", "e", "t", {"b": bytes(LIMIT - overhead)})
    assert len((await db.events.get_event(exact.event_id)).payload["b"]) == LIMIT - overhead
    before = await db.events.get_space_latest_sequence("acme")
    with pytest.raises(CodecError, match="limit is 16,777,216"):
        await db.events.append("acme", "e", "t", {"b": bytes(LIMIT - overhead + 1)})
    with pytest.raises(CodecError, match="limit is 16,777,216"):
        await db.events.append("acme", "e", "t", {}, metadata={"b": bytes(LIMIT - overhead + 1)})
    assert await db.events.get_space_latest_sequence("acme") == before


# -- reading -------------------------------------------------------------------------------------


async def test_from_is_exclusive_and_to_is_inclusive(db):
    await db.spaces.create("acme")
    await db.events.append_many("acme", facts(*"abcdef"))
    stream = db.events.stream_space_events
    assert await sequences(stream("acme")) == [1, 2, 3, 4, 5, 6]
    assert await sequences(stream("acme", from_sequence=2)) == [3, 4, 5, 6]
    assert await sequences(stream("acme", to_sequence=2)) == [1, 2]
    assert await sequences(stream("acme", from_sequence=2, to_sequence=4)) == [3, 4]
    assert await sequences(stream("acme", from_sequence=4, to_sequence=4)) == []
    assert await sequences(stream("acme", from_sequence=5, to_sequence=2)) == []
    assert await sequences(stream("acme", from_sequence=6)) == []
    assert await sequences(stream("acme", from_sequence=2**63 - 1)) == []
    assert await sequences(stream("acme", to_sequence=2**63 - 1)) == [1, 2, 3, 4, 5, 6]
    assert await sequences(stream("acme", to_sequence=0)) == []
    of_entity = db.events.stream_entity_events
    assert await sequences(of_entity("acme", "e", from_sequence=2, to_sequence=4)) == [3, 4]
    events = await db.events.get_events("acme", "e", from_sequence=2, to_sequence=4)
    assert [e.space_sequence for e in events] == [3, 4]


async def test_nothing_is_limited_unless_asked_for(db):
    await db.spaces.create("acme")
    await db.events.append_many("acme", facts(*["t"] * 2500))
    every = list(range(1, 2501))
    assert await sequences(db.events.stream_space_events("acme")) == every
    assert await sequences(db.events.stream_entity_events("acme", "e")) == every
    assert [e.space_sequence for e in await db.events.get_events("acme", "e")] == every
    assert len(await drain(db.events.stream_all_events())) == 2500
    assert await sequences(db.events.stream_space_events("acme", event_types=["t"])) == every
    limited = await db.events.get_events("acme", "e", limit=1500)
    assert [e.space_sequence for e in limited] == every[:1500]
    assert await db.events.get_events("acme", "e", limit=0) == []


@each("batch_size", [1, 2, 3, 6, 7, 2**31, 2**62])
async def test_the_size_of_pages_does_not_show(db, batch_size):
    await db.spaces.get_or_create("acme")
    if not await db.events.get_space_latest_sequence("acme"):
        await db.events.append_many("acme", facts(*"abcabc"))
    stream = db.events.stream_space_events
    size = {"batch_size": batch_size}
    assert await sequences(stream("acme", **size)) == [1, 2, 3, 4, 5, 6]
    assert await sequences(stream("acme", from_sequence=1, to_sequence=5, **size)) == [2, 3, 4, 5]
    assert await sequences(stream("acme", event_types=["a", "c"], **size)) == [1, 3, 4, 6]
    assert await sequences(db.events.stream_entity_events("acme", "e", **size)) == list(range(1, 7))
    assert len(await drain(db.events.stream_all_events(**size))) == 6


async def test_a_stream_may_be_narrowed_to_types(db):
    await db.spaces.create("acme")
    await db.events.append_many("acme", facts("a", "b", "a", "a.b", "A"))
    stream = db.events.stream_space_events
    assert await sequences(stream("acme", event_types=["a"])) == [1, 3]
    assert await sequences(stream("acme", event_types=("b", "A"))) == [2, 5]
    assert await sequences(stream("acme", event_types=[])) == []
    assert await sequences(stream("acme", event_types=None)) == [1, 2, 3, 4, 5]
    assert await sequences(stream("acme", event_types=["nope", "a%", "*"])) == []
    assert await sequences(stream("acme", event_types=['"', "'", "a"])) == [1, 3]


async def test_an_entity_has_only_its_own_events(db):
    await db.spaces.create("acme")
    for entity in ("a", "b", "a", "a%", "A", "a"):
        await db.events.append("acme", entity, "t", {})
    assert [e.space_sequence for e in await db.events.get_events("acme", "a")] == [1, 3, 6]
    assert [e.space_sequence for e in await db.events.get_events("acme", "a%")] == [4]
    assert await db.events.get_events("acme", "nobody") == []


async def test_a_stream_sees_what_is_appended_while_it_runs_and_holds_nothing(db):
    await db.spaces.create("acme")
    await db.events.append_many("acme", facts("a", "b"))
    seen = []
    async for event in db.events.stream_space_events("acme", batch_size=1):
        seen.append(event.space_sequence)
        if len(seen) < 5:
            await db.events.append("acme", "e", "more", {})
    assert seen == [1, 2, 3, 4, 5, 6]


async def test_a_stream_that_is_left_early_blocks_nothing(db):
    await db.spaces.create("acme")
    await db.events.append_many("acme", facts(*["t"] * 10))
    stream = db.events.stream_space_events("acme", batch_size=2)
    assert (await anext(stream)).space_sequence == 1
    await stream.aclose()
    assert (await db.events.append("acme", "e", "t", {})).space_sequence == 11


async def test_the_head_of_a_space(db):
    await db.spaces.create("acme")
    assert await db.events.get_space_latest_sequence("acme") == 0
    await db.events.append_many("acme", facts("a", "b"))
    assert await db.events.get_space_latest_sequence("acme") == 2
    assert await db.events.get_space_latest_sequence("default") == 0


async def test_the_latest_event_id_covers_all_spaces_and_never_goes_back(db):
    assert await db.events.get_latest_event_id() == 0
    for name in ("a", "b"):
        await db.spaces.create(name)
    await db.events.append("a", "e", "t", {})
    last = await db.events.append("b", "e", "t", {})
    assert await db.events.get_latest_event_id() == last.event_id == 2
    await db.spaces.delete("b", force=True)
    assert await db.events.get_latest_event_id() == 2
    await db.spaces.delete("a", force=True)
    assert await db.events.get_latest_event_id() == 2
    await db.spaces.create("c")
    assert (await db.events.append("c", "e", "t", {})).event_id > 2


async def test_an_event_is_found_by_its_id_or_not_at_all(db):
    await db.spaces.create("acme")
    event = await db.events.append("acme", "e", "t", {})
    assert await db.events.get_event(event.event_id) == event
    for missing in (0, event.event_id + 1, 2**63 - 1):
        with pytest.raises(EventNotFoundError) as caught:
            await db.events.get_event(missing)
        assert caught.value.event_id == missing
        assert isinstance(caught.value, LookupError)


async def test_the_stream_of_all_spaces_is_in_order_of_ids_and_of_each_space(db):
    for name in ("a", "b"):
        await db.spaces.create(name)
    for number in range(4):
        for name in ("a", "b"):
            await db.events.append_many(name, facts("t", "t"), causation_id=number + 1)
    events = await drain(db.events.stream_all_events())
    ids = [e.event_id for e in events]
    assert ids == sorted(set(ids))
    for space_id in (1, 2):
        own = [e.space_sequence for e in events if e.space_id == space_id]
        assert own == list(range(1, 9))
    later = await drain(db.events.stream_all_events(from_event_id=ids[5]))
    assert [e.event_id for e in later] == ids[6:]
    assert await drain(db.events.stream_all_events(from_event_id=ids[-1])) == []
    assert await drain(db.events.stream_all_events(from_event_id=2**63 - 1)) == []


# -- the events of a store -----------------------------------------------------------------------


async def test_a_store_has_the_verbs_without_the_space(db):
    store = await db.content_store("acme", counter())
    await db.spaces.create("other")
    event = await store.events.append("e", "t", {"a": 1}, correlation_id="c")
    [second] = await store.events.append_many([NewEvent("added", {"by": 1})], expected_sequence=1)
    assert second.entity_id == "n"  # named by the domain's extractor
    assert await store.events.get_event(event.event_id) == event
    assert await store.events.get_events("e") == [event]
    assert await sequences(store.events.stream_entity_events("n", from_sequence=0)) == [2]
    stream = store.events.stream_space_events
    assert await sequences(stream()) == [1, 2]
    assert await sequences(stream(from_sequence=1, to_sequence=2, batch_size=1)) == [2]
    assert await sequences(stream(event_types=["t"])) == [1]
    assert await store.events.get_space_latest_sequence() == 2


async def test_the_event_of_another_space_is_not_found_through_a_store(db):
    a, b = [await db.content_store(name, counter()) for name in ("a", "b")]
    of_a = (await a.execute(add)).events[0]
    for store in (b, await db.content_store("default", counter())):
        with pytest.raises(EventNotFoundError):
            await store.events.get_event(of_a.event_id)
    for bad in (-1, 2**63, "1", None):
        with pytest.raises(DataError):
            await a.events.get_event(bad)


# -- values --------------------------------------------------------------------------------------


async def test_every_type_comes_back_equal_and_of_its_type(db):
    await db.spaces.create("acme")
    event = await db.events.append("acme", "e", "t", EVERY_TYPE, metadata=EVERY_TYPE)
    stored = await db.events.get_event(event.event_id)
    [streamed] = await drain(db.events.stream_space_events("acme"))
    for found in (event, stored, streamed):
        for name, value in EVERY_TYPE.items():
            assert same(found.payload[name], value), name
            assert same(found.metadata[name], value), name


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(payload=payloads, metadata=payloads)
def test_any_nested_value_comes_back(tmp_path_factory, payload, metadata):
    async def there_and_back():
        async with ramax.connect() as db:
            event = await db.events.append("default", "e", "t", payload, metadata=metadata)
            return event, await db.events.get_event(event.event_id)

    for found in asyncio.run(there_and_back()):
        assert same(found.payload, payload)
        assert same(found.metadata, metadata)


async def test_events_are_the_same_after_reopening(durable_url):
    async with ramax.connect(durable_url) as db:
        await db.spaces.create("acme")
        event = await db.events.append("acme", "é☕", "t", EVERY_TYPE, metadata={"a": (1,)})
    async with ramax.connect(durable_url) as db:
        stored = await db.events.get_event(event.event_id)
    assert stored == event
    assert same(stored.payload, EVERY_TYPE)
    assert same(stored.metadata, {"a": (1,)})
