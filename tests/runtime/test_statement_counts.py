"""How many statements the hot paths cost: a handful, whatever the number of events."""

from ramax import Domain, NewEvent
from tests._counting import counted

domain = Domain("things", lambda state, event: state.__setitem__(event.entity_id, event.payload))


def add(state, params):
    first, count = params
    return [NewEvent("added", {"n": n}, entity_id=f"e{n}") for n in range(first, first + count)]


async def test_a_command_of_a_thousand_events_costs_as_much_as_one_of_one(db):
    store = await db.content_store("a", domain)
    await store.execute(add, (0, 1))
    async with counted(db) as one:
        await store.execute(add, (1, 1))
    async with counted(db) as thousand:
        await store.execute(add, (2, 1000))
    assert thousand.statements == one.statements <= 6


async def test_a_thousand_facts_are_appended_with_a_handful_of_statements(db):
    store = await db.content_store("a", domain)
    await store.execute(add, (0, 1))
    facts = [NewEvent("noted", {"n": n}, entity_id=f"e{n}") for n in range(1000)]
    async with counted(db) as calls:
        await store.events.append_many(facts)
    assert calls.statements <= 5


async def test_a_thousand_commands_at_once_are_one_unit_of_work(db):
    store = await db.content_store("a", domain)
    await store.execute(add, (0, 1))
    async with counted(db) as calls:
        await store.execute_many([(add, (n, 1)) for n in range(1, 1001)])
    assert calls.statements <= 6
