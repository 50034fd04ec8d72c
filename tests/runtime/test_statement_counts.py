"""How many statements the hot paths cost: a handful, whatever the number of events."""

import ramax
from ramax import Domain, NewEvent, Query, Ref
from tests._cards import edit, put
from tests._counting import counted
from tests._links import asked, linked

domain = Domain("things", lambda state, event: state.__setitem__(event.entity_id, event.payload))


def add(state, params):
    first, count = params
    return [NewEvent("added", {"n": n}, entity_id=f"e{n}") for n in range(first, first + count)]


async def test_a_command_of_a_thousand_events_costs_as_much_as_one_of_one(db):
    store = await db.content_store("a", domain)
    await store.execute(add, (0, 1))
    await store.execute(add, (1, 2))  # a connection asks once what a type is that it meets
    async with counted(db) as one:
        await store.execute(add, (3, 1))
    async with counted(db) as thousand:
        await store.execute(add, (4, 1000))
    # on SQLite the ids of many are asked for beforehand, and a first of few tells its own
    asked = db.engine.dialect.name == "sqlite"
    assert thousand.statements == one.statements + asked
    assert thousand.statements <= 6


async def test_an_append_to_a_replicated_space_costs_what_it_costs_elsewhere(db):
    plain, replicated = [await db.content_store(name, domain) for name in ("a", "b")]
    await replicated.replica.enable()

    async def costs(store):
        await store.events.append_many([NewEvent("noted", {}, entity_id="e")] * 2)
        for n in range(3):  # a connection asks once what a type is; the first event begins a run
            await store.execute(add, (n, 1))
        found = []
        for work in (
            lambda: store.execute(add, (3, 1)),
            lambda: store.execute(add, (4, 100)),
            lambda: store.execute_many([(add, (n, 1)) for n in range(200, 300)]),
            lambda: store.events.append("e", "noted", {}),
            lambda: store.events.append_many([NewEvent("noted", {}, entity_id="e")] * 100),
        ):
            async with counted(db) as calls:
                await work()
            found.append(calls.statements)
        return found

    assert await costs(replicated) == await costs(plain)


async def test_a_thousand_entries_of_a_log_cost_as_much_as_one(db):
    store = await db.content_store("a")
    await store.log.append("noted", {"n": 0})
    await store.log.append_many([("noted", {"n": n}) for n in range(2)])
    async with counted(db) as one:
        await store.log.append("noted", {"n": 2})
    async with counted(db) as thousand:
        await store.log.append_many([("noted", {"n": n}) for n in range(1000)])
    assert thousand.statements <= one.statements + 1


async def test_a_thousand_facts_are_appended_with_a_handful_of_statements(db):
    store = await db.content_store("a", domain)
    await store.execute(add, (0, 1))
    facts = [NewEvent("noted", {"n": n}, entity_id=f"e{n}") for n in range(1000)]
    async with counted(db) as calls:
        await store.events.append_many(facts)
    assert calls.statements <= 5


async def test_an_expectation_costs_one_statement_for_each_search(db):
    store = await db.content_store("a", domain)
    await store.execute(add, (0, 1))
    fact = NewEvent("noted", {}, entity_id="f")

    async def cost(**expected):
        async with counted(db) as calls:
            if "no_match" in expected:
                await store.events.append_if([fact], **expected)
            else:
                await store.events.append_many([fact], **expected)
        return calls.statements

    plain = await cost()
    again = 1 if db.engine.dialect.name == "postgresql" else 0  # the guard is read once more
    assert await cost(expected_version=1) == plain + 1 + again
    assert await cost(no_match=Query(["x"])) == plain + 1 + again
    assert await cost(no_match=Query(["x"]) | Query(tags=["y"])) == plain + 2 + again


async def test_tags_cost_one_statement_whatever_their_number(db):
    store = await db.content_store("a", domain)
    facts = [NewEvent("noted", {}, entity_id="f", tags=["x", "y", str(n)]) for n in range(100)]
    await store.events.append_many(facts)
    async with counted(db) as plain:
        await store.events.append_many([NewEvent("noted", {}, entity_id="f")] * 100)
    async with counted(db) as tagged:
        await store.events.append_many(facts)
    assert tagged.statements == plain.statements + 1


async def test_a_thousand_commands_at_once_are_one_unit_of_work(db):
    store = await db.content_store("a", domain)
    await store.execute(add, (0, 1))
    async with counted(db) as calls:
        await store.execute_many([(add, (n, 1)) for n in range(1, 1001)])
    assert calls.statements <= 6


def value_reads(calls):
    return sum("pstate_entities" in text for text in calls.texts)


def deck(state, params):
    """A deck of 1,000 cards, each with a translation; links both ways, and one author."""
    cards = [
        NewEvent("added", {"cards": {f"c{n}": Ref(f"c{n}") for n in range(1000)}}, entity_id="d")
    ]
    for n in range(1000):
        card = {"deck": Ref("d"), "translation": Ref(f"t{n}"), "by": Ref("ann")}
        cards.append(NewEvent("added", card, entity_id=f"c{n}"))
        cards.append(NewEvent("added", {"card": Ref(f"c{n}"), "text": n}, entity_id=f"t{n}"))
    return [*cards, NewEvent("added", {"name": "Ann"}, entity_id="ann")]


async def test_a_thousand_references_are_read_with_one_read_for_each_level(durable_db):
    store = await durable_db.content_store("a", domain)
    await store.execute(deck)
    for read in (
        lambda view: view.get_resolved("d"),
        lambda view: view.preload("d", "cards.translation"),
        lambda view: view.get_path("d", "cards.*.translation.text", follow=True),
    ):
        async with counted(durable_db) as calls:
            await read(store.pstate)
        assert value_reads(calls) == 3, calls.texts
        async with store.pstate.reader() as reader, counted(durable_db) as calls:
            await read(reader)
        assert value_reads(calls) == 3, calls.texts


async def test_more_keys_than_a_chunk_are_read_in_chunks(durable_db):
    store = await durable_db.content_store("a", domain)
    await store.execute(add, (0, 4500))
    await store.pstate.put("all", [Ref(f"e{n}") for n in range(4500)])
    async with store.pstate.reader() as reader, counted(durable_db) as calls:
        assert len(await reader.get_resolved("all")) == 4500
    assert value_reads(calls) == 1 + 3


async def test_what_a_reader_has_read_it_does_not_read_again(db):
    store = await db.content_store("a", domain)
    await store.execute(deck)
    async with store.pstate.reader() as reader:
        await reader.preload("d", ["cards.translation", "cards.by"])
        async with counted(db) as calls:
            resolved = await reader.get_resolved("d")
            assert len(resolved["cards"]) == 1000
            assert await reader.get_path("d", "cards.c7.translation.text", follow=True) == 7
            assert (await reader.get_many(["c1", "t1", "d"]))["t1"]["text"] == 1
            assert (await reader.fetch("ann")) == {"name": "Ann"}
        assert calls.texts == []


async def test_what_is_preloaded_costs_no_statement_where_this_process_is_the_only_writer(url):
    async with ramax.connect(url, cache="exclusive") as first:
        await (await first.content_store("a", domain)).execute(deck)
        if "memory" in str(first.engine.url) or not first.engine.url.database:
            await preloaded_reads(first)
            return
    async with ramax.connect(url, cache="exclusive") as again:
        await preloaded_reads(again)


async def preloaded_reads(db):
    store = await db.content_store("a", domain)
    await store.pstate.preload("d", ["cards.translation", "cards.by"])
    async with counted(db) as calls:
        assert (await store.pstate.get("c7"))["by"] == Ref("ann")
        assert len((await store.pstate.get_resolved("d"))["cards"]) == 1000
        assert await store.pstate.get_path("d", "cards.c7.translation.text", follow=True) == 7
        await store.pstate.preload("d", "cards.translation")
    assert calls.texts == []


async def test_an_index_of_references_costs_what_changes_them_and_nothing_else(db):
    store = await db.content_store("a", linked())
    for n in range(3):
        await store.execute(put, (f"card:{n}", {"deck": Ref("deck:1")}))
    async with counted(db) as before:
        await store.execute(edit, ("card:0", "other", Ref("deck:7")))
    assert await asked(store, "deck:1") == ["card:0", "card:1", "card:2"]
    await store.execute(edit, ("card:0", "other", Ref("deck:8")))
    async with counted(db) as same:
        await store.execute(edit, ("card:0", "other", Ref("deck:9")))
    async with counted(db) as moved:
        await store.execute(edit, ("card:0", "deck", Ref("deck:2")))
    assert same.statements == before.statements
    assert moved.statements == same.statements + 2
