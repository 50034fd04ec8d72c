"""Callers that come back together are committed together, round after round."""

import asyncio

import pytest

from ramax import Domain, NewEvent
from tests._counting import counted

domain = Domain("things", lambda state, event: state.__setitem__(event.entity_id, 1))


def add(state, name):
    return [NewEvent("added", {}, entity_id=name)]


async def test_twenty_callers_need_one_commit_a_round(db):
    if db.engine.dialect.name == "postgresql":
        pytest.skip("autocommit: there is no COMMIT to count")
    store = await db.content_store("a", domain)

    async def caller(number):
        for turn in range(10):
            await store.execute(add, f"{number}:{turn}")

    async with counted(db) as calls:
        await asyncio.gather(*(caller(number) for number in range(20)))
    commits = sum(text.startswith("COMMIT") for text in calls.texts)
    assert 10 <= commits <= 13
    assert await store.events.get_space_latest_sequence() == 200
