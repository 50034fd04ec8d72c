import asyncio
import logging

import pytest

import ramax
from ramax import Domain, MisuseError, NewEvent, Ref, SchemaError, StorageBusyError, field
from ramax.core.state import unpack
from ramax.runtime.write_back import MigrationStats
from ramax.storage.reads import read_range
from tests._cards import NEW, OLD, cards, drop, edit, look, old_cards, put


async def stored(db, space="s"):
    """What is in the table, in the shape in which it is."""
    found = await db.spaces.get(space)
    packed = await db._core.read(lambda ex: read_range(ex, found.space_id, "", "~"))
    return {key: unpack(value) for key, value in packed.items()}


async def version(db, space="s"):
    found = await db.spaces.get(space)
    facts = await db._core.reader.facts(found.space_id, ())
    return facts.guard


@pytest.fixture
async def quiet(url):
    """A database that writes back only when it is told to."""
    async with ramax.connect(url, write_back_interval=3600) as db:
        yield db


async def filled(db, space="s", values=OLD):
    """A space whose values the older version wrote, opened with today's."""
    old = await db.content_store(space, old_cards())
    for key, value in values.items():
        await old.execute(put, (key, value))
    return await db.content_store(space, cards())


async def test_every_read_shows_todays_shape(quiet):
    store = await filled(quiet)
    assert {key: await store.pstate.fetch(key) for key in OLD} == NEW
    assert {key: await store.pstate.get(key) for key in OLD} == NEW
    assert await store.pstate.get_many(OLD) == NEW
    assert {key: value async for key, value in store.pstate.scan()} == NEW
    async with store.transaction() as tx:
        assert await tx.pstate.get_many(OLD) == NEW
    assert await stored(quiet) == OLD
    assert {k: v async for k, v in quiet.pstate.scan("s")} == OLD  # as it is stored


async def test_whatever_leads_through_values_goes_by_todays_shape(quiet):
    store = await filled(quiet)
    deck = await store.pstate.get_resolved("deck:d")
    assert deck["cards"]["2"] == NEW["card:2"]  # there was no reference before
    assert await store.pstate.get_path("card:1", "deck.title", follow=True) == "Animals"
    async with store.pstate.reader() as reader:
        assert await reader.get_many(OLD) == NEW
        assert (await reader.preload("deck:d", "cards"))["title"] == "Animals"
    lenient = await quiet.content_store("s", cards("off"))
    async with lenient.as_of(len(OLD)) as past:
        assert await past.pstate.get_many(OLD) == NEW
    assert await stored(quiet) == OLD


async def test_commands_and_applicators_see_todays_shape(quiet):
    store = await filled(quiet)
    seen = []

    def command(state, params):
        seen.append({key: state[key] for key in OLD})
        return edit(state, ("card:1", "front", "gato"))

    await store.execute(command)
    assert seen[-1] == NEW
    assert (await stored(quiet))["card:1"] == NEW["card:1"] | {"front": "gato"}


async def test_a_command_that_only_reads_writes_no_shape(quiet):
    store = await filled(quiet)
    await store.execute(look, "card:1")
    await store.execute(edit, ("deck:d", "title", "Animals"))  # as it is
    after = await stored(quiet)
    assert after.pop("looks") == [1, sorted(NEW["card:1"])]
    assert after == OLD


async def test_what_was_read_is_written_back_when_asked(quiet):
    store = await filled(quiet)
    before = await version(quiet)
    await store.pstate.get_many(OLD)
    assert store.pstate.migration_stats() == MigrationStats(seen=3, waiting=3)
    await store.pstate.flush_migrations()
    assert await stored(quiet) == NEW
    assert store.pstate.migration_stats() == MigrationStats(seen=3, written=3)
    after = await version(quiet)
    assert after.last_sequence == before.last_sequence
    assert after.state_version > before.state_version
    assert after.replacements == before.replacements
    assert await store.pstate.get_many(OLD) == NEW
    assert store.pstate.migration_stats().seen == 3
    assert await store.pstate.flush_migrations() == 0


async def test_what_commands_and_transactions_read_is_written_back_as_well(quiet):
    store = await filled(quiet)
    await store.execute(look, "card:1")
    async with store.transaction() as tx:
        await tx.execute(look, "card:2")
    await store.pstate.flush_migrations()
    after = await stored(quiet)
    assert (after["card:1"], after["card:2"]) == (NEW["card:1"], NEW["card:2"])
    assert after["deck:d"] == OLD["deck:d"]


async def test_a_full_batch_is_written_without_being_asked(url):
    async with ramax.connect(url, write_back_interval=3600, write_back_batch=2) as db:
        store = await filled(db)
        await store.pstate.get("card:1")
        assert db._core.write_back._task is None
        await store.pstate.get("card:2")
        running = db._core.write_back._task
        assert running is not None
        await asyncio.wait([running])
        assert (await stored(db))["card:2"] == NEW["card:2"]
        assert store.pstate.migration_stats() == MigrationStats(seen=2, written=2)


async def test_what_waits_is_written_after_the_interval(url):
    async with ramax.connect(url, write_back_interval=0) as db:
        store = await filled(db)
        assert await store.pstate.get("card:1") == NEW["card:1"]
        async with asyncio.timeout(25):
            while store.pstate.migration_stats().written < 1:
                await asyncio.sleep(0)
        assert (await stored(db))["card:1"] == NEW["card:1"]


async def test_closing_writes_what_waits(durable_url):
    async with ramax.connect(durable_url, write_back_interval=3600) as db:
        store = await filled(db)
        await store.pstate.get_many(OLD)
    async with ramax.connect(durable_url) as db:
        assert await stored(db) == NEW


async def test_nothing_is_written_where_it_is_off_or_read_only(durable_url):
    async with ramax.connect(durable_url, write_back_interval=None) as db:
        store = await filled(db)
        assert await store.pstate.get_many(OLD) == NEW
        assert await store.pstate.flush_migrations() == 0
        assert store.pstate.migration_stats() == MigrationStats(seen=3)
    async with ramax.connect(durable_url, read_only=True) as db:
        reader = await db.content_store("s", cards(), create=False)
        assert await reader.pstate.get_many(OLD) == NEW
    async with ramax.connect(durable_url) as db:
        assert await stored(db) == OLD


async def test_a_newer_write_is_never_undone_and_no_key_comes_back(quiet):
    store = await filled(quiet)
    await store.pstate.get("card:1")
    await store.execute(drop, "card:1")
    await store.pstate.flush_migrations()
    assert "card:1" not in await stored(quiet)
    await store.pstate.get("deck:d")
    await store.execute(edit, ("deck:d", "title", "New"))
    await store.pstate.flush_migrations()
    assert (await stored(quiet))["deck:d"] == NEW["deck:d"] | {"title": "New"}
    assert store.pstate.migration_stats().skipped == 2


async def test_no_other_space_is_touched(quiet):
    store, other = await filled(quiet), await filled(quiet, "other")
    await store.pstate.get_many(OLD)
    await store.pstate.flush_migrations()
    assert await stored(quiet, "other") == OLD
    assert other.pstate.migration_stats() == MigrationStats()


async def test_who_put_a_key_and_when_stays_as_it_is(quiet):
    old = await quiet.content_store("s", old_cards())
    await old.pstate.put("card:9", OLD["card:1"])
    store = await quiet.content_store("s", cards())
    assert await store.pstate.get("card:9") == NEW["card:1"]
    await store.pstate.flush_migrations()
    assert await stored(quiet) == {"card:9": NEW["card:1"]}
    assert await store.pstate.delete("card:9")  # still its writer's own


async def test_put_is_checked_like_what_an_event_writes(quiet):
    store = await quiet.content_store("s", cards())
    with pytest.raises(SchemaError, match="'level' of card 'card:9' 'high': must be int"):
        await store.pstate.put("card:9", {"front": "a", "tags": [], "level": "high"})
    deck = {"front": "a", "tags": [], "level": 1, "deck": None}
    await store.pstate.put("card:9", deck)
    assert await stored(quiet) == {"card:9": deck | {"back": ""}}


async def test_the_default_space_is_written_back_too(quiet):
    early = await quiet.content_store("default", cards())
    await filled(quiet, "default")
    assert await early.pstate.get("card:1") == NEW["card:1"]
    assert await early.pstate.flush_migrations() == 1
    assert early.pstate.migration_stats().written == 1


async def test_a_value_that_cannot_be_migrated_fails_its_own_read_only(quiet):
    store = await filled(quiet, values=OLD | {"card:3": {"front": "x", "level": "many"}})
    with pytest.raises(SchemaError, match="'level' of card 'card:3' 'many': its migrate failed"):
        await store.pstate.get("card:3")
    assert await store.pstate.get("card:1") == NEW["card:1"]
    with pytest.raises(SchemaError):
        await store.execute(edit, ("card:3", "front", "y"))
    with pytest.raises(SchemaError):  # a command cannot take it for a missing one

        def catch(state, params):
            try:
                state["card:3"]
            except SchemaError:
                return put(
                    state, ("card:3", {"front": "new", "tags": [], "level": 0, "deck": None})
                )
            return []

        await store.execute(catch)
    await store.pstate.flush_migrations()
    assert (await stored(quiet))["card:3"]["level"] == "many"


async def test_a_write_back_that_fails_is_logged_and_tried_again_by_the_next_read(
    durable_url, caplog
):
    async with (
        ramax.connect(durable_url, write_back_interval=3600, lock_timeout=0.1) as db,
        ramax.connect(durable_url) as other,
    ):
        store = await filled(db)
        await store.pstate.get("card:1")
        async with other.transaction("s"):
            with pytest.raises(StorageBusyError):
                await asyncio.create_task(store.pstate.flush_migrations())
            await store.pstate.get("card:2")
            await asyncio.create_task(db._core.write_back._run())
        assert "values of space 's' were not written back" in caplog.text
        assert store.pstate.migration_stats().failed == 2
        await store.pstate.get_many(OLD)
        assert await store.pstate.flush_migrations() == 3
        assert await stored(db) == NEW


async def test_a_deleted_space_is_forgotten(quiet):
    store = await filled(quiet)
    await store.pstate.get("card:1")
    await quiet.spaces.delete("s", force=True)
    assert await store.pstate.flush_migrations() == 0
    assert store.pstate.migration_stats() == MigrationStats()


async def test_the_queue_is_bounded(quiet):
    store = await filled(quiet)
    quiet._core.write_back._limits = ramax.runtime.write_back.WriteBackLimits(9, 3600, waiting=2)
    await store.pstate.get_many(OLD)
    stats = store.pstate.migration_stats()
    assert (stats.seen, stats.waiting, stats.dropped) == (3, 2, 1)


async def test_a_rebuild_leaves_nothing_to_write_back(quiet):
    store = await filled(quiet)
    await store.pstate.get("card:1")
    with quiet._core.write_back.pausing(store.space.space_id, "s"):
        await store.pstate.get("card:2")
        assert store.pstate.migration_stats().waiting == 0
    today = await quiet.content_store("s", replaying())
    await today.rebuild_pstate()
    assert await stored(quiet) == NEW
    await today.pstate.get_many(OLD)
    assert today.pstate.migration_stats().waiting == 0


def replaying() -> Domain:
    """Today's applicators: they take old events as well."""
    domain = Domain("cards", schema={entity.name: entity.cls for entity in cards().schema})

    @domain.applicator("set")
    def put_new(state, event):
        state[event.entity_id] = NEW[event.entity_id]

    return domain


async def test_cancelling_every_task_loses_nothing_for_good(quiet):
    store = await filled(quiet)
    await store.pstate.get("card:1")
    core = quiet._core.write_back
    core._begin()
    assert core._task is not None
    core._task.cancel()
    await asyncio.wait([core._task])
    await asyncio.sleep(0)
    await store.pstate.get("card:1")
    await store.pstate.flush_migrations()
    assert (await stored(quiet))["card:1"] == NEW["card:1"]


async def test_the_handle_must_not_be_used_inside_a_transaction_of_its_task(quiet):
    store = await filled(quiet)
    async with store.transaction():
        with pytest.raises(MisuseError):
            await store.pstate.flush_migrations()


# -- writes are checked --------------------------------------------------------------------------

GOOD = {"front": "a", "back": "b", "tags": [], "level": 1, "deck": None}


async def test_a_value_that_does_not_fit_is_refused_with_its_command(quiet):
    store = await quiet.content_store("s", cards())
    with pytest.raises(SchemaError, match=r"'tags\[1\]' of card 'card:1' 2: must be str") as caught:
        await store.execute(put, ("card:1", GOOD | {"tags": ["a", 2]}))
    error = caught.value
    assert (error.entity, error.field, error.key, error.value) == ("card", "tags[1]", "card:1", 2)
    assert await store.events.get_space_latest_sequence() == 0
    await store.execute(put, ("card:1", GOOD))
    with pytest.raises(SchemaError):
        await store.execute(edit, ("card:1", "deck", Ref("card:2")))
    assert await store.pstate.get("card:1") == GOOD


async def test_a_value_that_does_not_fit_fails_a_fold_by_naming_the_event(quiet):
    store = await quiet.content_store("s", cards())
    await store.events.append("card:1", "set", {"value": {"front": 1}})
    for work in (store.catchup_pstate, store.rebuild_pstate):
        with pytest.raises(ramax.FoldError, match="'front' of card 'card:1' 1: must be str"):
            await work()


async def test_a_warning_is_logged_once_for_each_field_of_a_unit(quiet, caplog):
    store = await quiet.content_store("s", cards("warn"))

    def many(state, params):
        return [
            NewEvent("set", {"value": GOOD | {"level": "x"}}, entity_id=f"card:{n}")
            for n in range(5)
        ]

    await store.execute(many)
    [record] = [r for r in caplog.records if r.name == "ramax.schema"]
    assert record.levelno == logging.WARNING
    assert "'level' of card 'card:0' 'x': must be int, and 4 more like it" in record.getMessage()
    caplog.clear()
    await store.events.append("card:9", "set", {"value": {"front": 1}})
    await store.catchup_pstate()
    async with store.transaction() as tx:
        await tx.execute(put, ("card:8", {"front": 2}))
    await store.pstate.put("card:7", {"front": 3})
    texts = [r.getMessage() for r in caplog.records if r.name == "ramax.schema"]
    assert ["'card:9' 1" in texts[0], "'card:8' 2" in texts[1], "'card:7' 3" in texts[2]]
    assert len(texts) == 3


async def test_what_is_off_is_not_checked(quiet, caplog):
    store = await quiet.content_store("s", cards("off"))
    await store.execute(put, ("card:1", {"front": 1}))
    assert not caplog.records


async def test_defaults_are_filled_in_when_the_event_ends(quiet):
    domain = Domain(
        "d",
        schema={
            "p": type(
                "P",
                (),
                {
                    "__annotations__": {"n": int, "l": list},
                    "n": 3,
                    "l": field(default_factory=list),
                },
            )
        },
    )

    @domain.applicator("made")
    def made(state, event):
        state["p:1"] = {}
        state["seen"] = dict(state["p:1"])

    @domain.applicator("seen")
    def seen(state, event):
        state["later"] = state["p:1"]

    store = await quiet.content_store("s", domain)
    await store.execute(
        lambda state, params: [NewEvent(t, {}, entity_id="p:1") for t in ("made", "seen")]
    )
    assert await stored(quiet) == {"p:1": {"n": 3, "l": []}, "seen": {}, "later": {"n": 3, "l": []}}
