"""Whoever reads through a domain sees events in today's shape; whoever does not, sees them stored."""

from typing import Any

import pytest

from ramax import DataError, Domain, Event, MisuseError, NewEvent, UpcastError
from tests._domains import documents


def first() -> Domain:
    """Where the application began: names in one field."""
    domain = Domain("people", entity_id=lambda payload: payload["id"])

    @domain.applicator("named", "moved")
    def _keep(state: Any, event: Event) -> None:
        state[event.entity_id] = {**state.get(event.entity_id, {}), **event.payload}

    return domain


def today() -> Domain:
    """Names in two fields, and moving is leaving and arriving."""
    domain = Domain("people", entity_id=lambda payload: payload["id"], versions={"named": 2})

    @domain.applicator("named")
    def _named(state: Any, event: Event) -> None:
        state[event.entity_id] = {
            "given": event.payload["given"],
            "family": event.payload["family"],
        }

    @domain.applicator("left", "arrived")
    def _place(state: Any, event: Event) -> None:
        state[event.entity_id]["at"] = event.payload.get("place")
        state.setdefault("log", []).append([event.event_type, event.space_sequence])

    @domain.upcaster("named", from_version=1)
    def _split_name(event: Event) -> dict[str, Any]:
        given, _, family = event.payload["name"].partition(" ")
        return {"id": event.payload["id"], "given": given, "family": family}

    @domain.upcaster("moved", from_version=1)
    def _split_move(event: Event) -> list[NewEvent]:
        return [NewEvent("left", {}), NewEvent("arrived", {"place": event.payload["to"]})]

    return domain


def emit(state: Any, params: Any) -> list[NewEvent]:
    return list(params)


HISTORY = [
    NewEvent("named", {"id": "a", "name": "Ann Lee"}),
    NewEvent("moved", {"id": "a", "to": "Rome"}),
    NewEvent("named", {"id": "b", "name": "Bo Dale"}),
    NewEvent("moved", {"id": "b", "to": "Oslo"}),
]
FOLDED: dict[str, Any] = {
    "a": {"given": "Ann", "family": "Lee", "at": "Rome"},
    "b": {"given": "Bo", "family": "Dale", "at": "Oslo"},
    "log": [["left", 2], ["arrived", 2], ["left", 4], ["arrived", 4]],
}


@pytest.fixture
async def store(db):
    """A store of today on a history of yesterday, folded with today's domain."""
    await (await db.content_store("s", first())).execute(emit, HISTORY)
    store = await db.content_store("s", today())
    assert await store.rebuild_pstate() == 4
    return store


async def drain(stream):
    return [event async for event in stream]


async def everything(store):
    return dict([pair async for pair in store.pstate.scan()])


async def test_a_rebuild_folds_old_events_in_todays_shape(store):
    assert await everything(store) == FOLDED


async def test_a_store_reads_todays_events_and_the_log_keeps_the_stored_ones(db, store):
    seen = await drain(store.events.stream_space_events())
    assert [(e.space_sequence, e.event_type, e.version) for e in seen] == [
        (1, "named", 2),
        (2, "left", 1),
        (2, "arrived", 1),
        (3, "named", 2),
        (4, "left", 1),
        (4, "arrived", 1),
    ]
    assert seen[0].payload == {"id": "a", "given": "Ann", "family": "Lee"}
    assert seen[1].event_id == seen[2].event_id
    stored = await drain(db.events.stream_space_events("s"))
    assert [(e.event_type, e.payload) for e in stored] == [
        (new.event_type, new.payload) for new in HISTORY
    ]


@pytest.mark.parametrize("batch_size", [1, 2, 3, 100])
async def test_pages_count_stored_events_and_parts_stay_together(store, batch_size):
    seen = await drain(store.events.stream_space_events(batch_size=batch_size, from_sequence=1))
    assert [e.space_sequence for e in seen] == [2, 2, 3, 4, 4]
    ann = await drain(store.events.stream_entity_events("a", batch_size=batch_size, limit=2))
    assert [e.event_type for e in ann] == ["named", "left", "arrived"]


async def test_types_are_todays_types(store):
    async def of(*types):
        return [
            e.space_sequence
            for e in await drain(store.events.stream_space_events(event_types=list(types)))
        ]

    assert await of("arrived") == [2, 4]
    assert await of("named", "left") == [1, 2, 3, 4]
    assert await of("moved") == []


async def test_one_event_by_its_id_is_its_first_part(db, store):
    [_, moved, *_] = await drain(db.events.stream_space_events("s"))
    assert (await store.events.get_event(moved.event_id)).event_type == "left"
    assert (await db.events.get_event(moved.event_id)).event_type == "moved"


async def test_commands_catch_up_through_the_chain(db):
    await (await db.content_store("s", first())).events.append_many(HISTORY)
    store = await db.content_store("s", today())
    seen = []

    def look(state, params):
        seen.append(dict(state))
        return [NewEvent("named", {"id": "c", "given": "Cy", "family": "Poe"})]

    commit = await store.execute(look)
    assert seen[-1] == FOLDED
    assert [e.version for e in commit.events] == [2]
    assert (await store.pstate.get("c"))["family"] == "Poe"
    [named] = await drain(store.events.stream_space_events(from_sequence=4))
    assert (named.version, named.payload["given"]) == (2, "Cy")


async def test_an_old_version_that_a_command_gives_is_folded_as_it_will_be_read(store):
    old = NewEvent("named", {"id": "d", "name": "Di Ray"}, version=1)
    commit = await store.execute(emit, [old])
    assert commit.events[0].payload == {"id": "d", "name": "Di Ray"}  # as it is stored
    live = await everything(store)
    assert live["d"] == {"given": "Di", "family": "Ray"}
    await store.rebuild_pstate()
    assert await everything(store) == live


async def test_a_transaction_folds_through_the_chain_too(db):
    await (await db.content_store("s", first())).events.append_many(HISTORY)
    store = await db.content_store("s", today())
    async with store.transaction() as tx:
        assert (await tx.pstate.get("a"))["at"] == "Rome"
        await tx.append("d", "named", {"id": "d", "name": "Di Ray"}, version=1)
        assert await tx.pstate.get("d") == {"given": "Di", "family": "Ray"}


async def test_the_past_is_seen_in_todays_shape(store):
    async with store.as_of(2) as past:
        assert dict([pair async for pair in past.pstate.scan()]) == {
            "a": FOLDED["a"],
            "log": FOLDED["log"][:2],
        }
        types = [e.event_type for e in await drain(past.events.stream_space_events())]
        assert types == ["named", "left", "arrived"]
        [named, *_] = await past.events.get_events("a")
        assert (await past.events.get_event(named.event_id)).version == 2


async def test_verify_compares_with_the_fold_of_todays_events(db, store):
    [report] = [each async for each in db.verify("s", today())]
    assert (report.ok, report.compared, report.event_count) == (True, 3, 4)


async def test_verify_runs_the_chain_over_the_log_and_names_what_fails(db, store):
    await store.events.append("e", "named", {"id": "e"}, version=1)
    [report] = [each async for each in db.verify("s", today())]
    [found] = report.findings
    assert found.check == "upcast"
    assert "event 5 of space 's'" in found.message
    assert "version 1: KeyError('name')" in found.message


async def test_an_upcaster_that_fails_stops_reads_and_folds_naming_the_event(store):
    await store.events.append("e", "named", {"id": "e"}, version=1)
    for step in (
        drain(store.events.stream_space_events()),
        store.rebuild_pstate(),
        store.execute(emit, []),
        store.catchup_pstate(),
    ):
        with pytest.raises(UpcastError) as caught:
            await step
        error = caught.value
        assert (error.space, error.sequence) == ("s", 5)
        assert (error.event_type, error.version) == ("named", 1)


async def test_an_event_of_the_future_is_not_folded_by_old_code(db, store):
    await store.execute(emit, [NewEvent("named", {"id": "z", "given": "Z", "family": "Z"})])
    with pytest.raises(UpcastError, match="knows versions up to 1"):
        await (await db.content_store("s", first())).rebuild_pstate()
    with pytest.raises(UpcastError, match="knows versions up to 1"):
        await drain((await db.content_store("s", first())).events.stream_space_events())


async def test_a_domain_with_a_gap_opens_no_space(db):
    domain = Domain("gap", versions={"t": 2})
    with pytest.raises(MisuseError, match="no upcaster for version 1 of 't'"):
        await db.content_store("s", domain)
    assert not await db.spaces.exists("s")


async def test_a_version_beyond_the_newest_is_not_written(store):
    with pytest.raises(DataError, match="the newest in this domain is 2"):
        await store.events.append("a", "named", {"id": "a"}, version=3)
    assert await store.events.get_space_latest_sequence() == 4


async def test_tags_come_back_with_the_event_everywhere(db):
    store = await db.content_store("d", documents())
    new = NewEvent("doc.put", {"v": 1}, entity_id="k", tags=["b", "a", "b"])
    commit = await store.execute(emit, [new, NewEvent("doc.put", {}, entity_id="k")])
    assert [e.tags for e in commit.events] == [("a", "b"), ()]
    assert [e.tags for e in await store.events.get_events("k")] == [("a", "b"), ()]
    assert await drain(store.events.stream_space_events()) == list(commit.events)
    assert (await db.events.append("d", "k", "noted", {}, tags={"x"})).tags == ("x",)
    async with store.transaction() as tx:
        assert (await tx.append("k", "noted", {}, tags=["y"])).tags == ("y",)
