"""A long history of several ages, rebuilt: what a reading of it by hand says, whatever the pages."""

import random
from dataclasses import replace
from typing import Any

import pytest

import ramax
from ramax import Domain, NewEvent

EVENTS = 300


def ages() -> Domain:
    """Deposits in cents since version 3; `transferred` is two bookings; `noise` is dropped."""
    domain = Domain("bank", entity_id=lambda p: f"account:{p['account']}", versions={"booked": 3})

    @domain.applicator("booked")
    def _booked(state: Any, event: Any) -> None:
        account = state.setdefault(event.entity_id, {"cents": 0, "seen": []})
        account["cents"] += event.payload["cents"]
        account["seen"].append(event.space_sequence)

    @domain.applicator("closed")
    def _closed(state: Any, event: Any) -> None:
        state.pop(event.entity_id, None)

    @domain.upcaster("booked", from_version=1)
    def _named(event: Any) -> dict[str, Any]:
        return {"account": event.payload["no"], "euros": event.payload["euros"]}

    @domain.upcaster("booked", from_version=2)
    def _in_cents(event: Any) -> dict[str, Any]:
        return {"account": event.payload["account"], "cents": event.payload["euros"] * 100}

    @domain.upcaster("transferred", from_version=1)
    def _split(event: Any) -> list[NewEvent]:
        p, version = event.payload, 2  # it is upcast further
        return [
            NewEvent(
                "booked",
                {"account": p[side], "euros": sign * p["euros"]},
                entity_id=f"account:{p[side]}",
                version=version,
            )
            for side, sign in (("from", -1), ("to", 1))
        ]

    @domain.upcaster("ended", from_version=1)
    def _renamed(event: Any) -> list[NewEvent]:
        return [NewEvent("closed", event.payload)]

    @domain.upcaster("noise", from_version=1)
    def _dropped(event: Any) -> list[NewEvent]:
        return []

    return domain


def history(dice: random.Random) -> list[NewEvent]:
    def account() -> int:
        return dice.randrange(8)

    def one() -> NewEvent:
        euros, a, b = dice.randrange(-50, 100), account(), account()
        kinds: list[tuple[str, dict[str, Any], int]] = [
            ("booked", {"no": a, "euros": euros}, 1),
            ("booked", {"account": a, "euros": euros}, 2),
            ("booked", {"account": a, "cents": euros}, 3),
            ("transferred", {"from": a, "to": b, "euros": euros}, 1),
            ("transferred", {"from": a, "to": b, "euros": euros}, 1),
            ("noise", {}, 1),
        ]
        if dice.random() < 0.05:
            kinds = [("ended", {"account": a}, 1), ("closed", {"account": a}, 1)]
        event_type, payload, version = dice.choice(kinds)
        return NewEvent(event_type, payload, entity_id=f"account:{a}", version=version)

    return [one() for _ in range(EVENTS)]


def by_hand(events: list[NewEvent]) -> dict[str, Any]:
    """Read the stored events as they are: nothing of ramax has a part in it."""
    accounts: dict[str, Any] = {}

    def book(name: int, cents: int, sequence: int) -> None:
        found = accounts.setdefault(f"account:{name}", {"cents": 0, "seen": []})
        found["cents"] += cents
        found["seen"].append(sequence)

    for sequence, event in enumerate(events, 1):
        p = event.payload
        match event.event_type, event.version:
            case "booked", 1:
                book(p["no"], p["euros"] * 100, sequence)
            case "booked", 2:
                book(p["account"], p["euros"] * 100, sequence)
            case "booked", 3:
                book(p["account"], p["cents"], sequence)
            case "transferred", _:
                book(p["from"], -100 * p["euros"], sequence)
                book(p["to"], 100 * p["euros"], sequence)
            case (("ended" | "closed"), _):
                accounts.pop(f"account:{p['account']}", None)
            case _:
                assert event.event_type == "noise"
    return accounts


async def everything(store: ramax.ContentStore) -> dict[str, Any]:
    return dict([pair async for pair in store.pstate.scan()])


def book_now(state: Any, params: Any) -> list[NewEvent]:
    return [NewEvent("booked", {"account": 0, "cents": params})]


@pytest.mark.parametrize("page", [1, 7, 1000])
@pytest.mark.parametrize("memory", [2**30, 1], ids=["in memory", "spilled"])
async def test_a_rebuild_is_what_reading_the_stored_events_by_hand_says(db, page, memory):
    events = history(random.Random(page))
    await db.events.append_many((await db.spaces.create("s")), events)
    core = db._core
    core.options = replace(core.options, page=page, rebuild_memory=memory)
    store = await db.content_store("s", ages())
    assert await store.rebuild_pstate() == EVENTS
    expected = by_hand(events)
    assert await everything(store) == expected
    assert (await store.verify()).ok
    await store.execute(book_now, 5)  # and lives on from there
    new = NewEvent("booked", {"account": 0, "cents": 5}, entity_id="account:0", version=3)
    assert await everything(store) == by_hand([*events, new])
    middle = await store.as_of(EVENTS // 2)
    assert dict([pair async for pair in middle.pstate.scan()]) == by_hand(events[: EVENTS // 2])
