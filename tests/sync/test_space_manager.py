"""Spaces with several layers: opened from whichever has them, kept up to date, closed without a trace."""

import asyncio
from functools import partial

import pytest

import ramax
from ramax import ClosedError, DataError, MisuseError, SpaceExistsError, SpaceNotFoundError
from ramax.errors import (
    DurabilityError,
    LayerError,
    SpaceAlreadyOpenError,
)
from ramax.sync.layer import SpaceRef
from ramax.sync.memory_layer import MemoryLayer, MemoryPlace
from tests._each import each
from tests.sync._managers import (
    PATIENCE,
    Places,
    filled,
    has,
    layer_tasks,
    manager_on,
    until,
    wait_for,
    write,
)

# -- both ways -----------------------------------------------------------------------------------


async def test_two_managers_see_what_the_other_writes(memory_url):
    """A5, A6: through a place that both have as a layer, also what one of them never had."""
    places = Places("server")
    async with manager_on(memory_url, places) as mine, manager_on(None, places) as theirs:
        my_store = await mine.create("notes")
        await write(my_store, "a")
        await mine.flush("notes")
        their_store = await theirs.load("notes")
        assert await their_store.kv.get("a") == "value of a"
        await write(their_store, "b")
        await has(my_store, "a", "b")
        made = await my_store.tree("document").create(properties={"title": "new"})
        await until(partial(_has, their_store, made.node, "new"))


async def _has(store, node: str, title: object) -> bool:
    found = await store.tree("document").get(node)
    return bool(found is not None and found.properties["title"] == title)


async def test_what_one_layer_brings_reaches_the_others_once_and_not_itself(memory_url):
    """B2: not echoed to where it came from."""
    places = Places("x", "y")
    await filled(places["x"], "a")
    writes = places["x"].writes
    async with manager_on(memory_url, places) as manager:
        store = await manager.load("notes")
        await manager.flush("notes")
        await filled(places["x"], "b")
        await has(store, "a", "b")
        await manager.flush("notes")
        assert places["y"].records == places["x"].records
        assert places["x"].writes == writes + 1  # of the device that wrote "b"
        assert len(await store.events.last(10)) == 2


async def test_work_on_what_another_made_is_durable_too(memory_url):
    """B1, B3: an event of something that came from elsewhere, then an own one after it."""
    places = Places("server")
    async with manager_on(None, places) as theirs, manager_on(memory_url, places) as mine:
        their_store = await theirs.create("notes")
        await theirs.flush("notes")
        store = await mine.load("notes")
        made = await their_store.tree("document").create(properties={"title": "theirs"})
        await until(partial(_has, store, made.node, "theirs"))
        await store.tree("document").set(made.node, {"title": "changed here"})
        below = await store.tree("document").create(made.node)
        await mine.flush("notes")
    async with manager_on(None, places) as another:
        store = await another.load("notes")
        await until(partial(_has, store, made.node, "changed here"))
        assert await store.tree("document").path(below.node) == ["root", made.node, below.node]


async def test_a_one_way_layer_gets_what_was_written_while_it_was_away(memory_url):
    """B5, B6: and what it got, though its answer was lost, only once."""
    places = Places("backup")
    places.two_way = False
    async with manager_on(memory_url, places) as manager:
        store = await manager.create("notes")
        await manager.flush("notes")
        layer = places.layer("backup")
        layer.faults.lose_answers = 1
        await write(store, "a")
        await manager.flush("notes")
        layer.cut()
        await write(store, "b", "c")
        assert (await manager.status("notes"))["backup"].behind == 2
        layer.mend()
        await manager.flush("notes")
        assert sum(places["backup"].vector.values()) == 3


async def test_a_server_that_was_restored_from_an_old_backup_is_noticed_and_made_good(memory_url):
    """B16: nothing is lost, and the manager says that it happened."""
    places = Places("server")
    async with manager_on(memory_url, places) as manager:
        store = await manager.create("notes")
        await write(store, "a", "b", "c")
        await manager.flush("notes")
        whole, heard = dict(places["server"].records), manager.events()
        origin = next(iter(whole))
        layer = places.layer("server")
        layer.cut()
        await until(partial(_failed, manager, "server"))
        places["server"].reset({origin: 1})
        layer.mend()
        async with asyncio.timeout(PATIENCE):
            async for event in heard:
                if event.kind == "reset":
                    break
        await until(lambda: places["server"].records == whole)


async def test_two_spaces_of_two_tenants_never_mix(memory_url):
    """B20: and a layer that holds another space than this one is left alone."""
    acme, rival = Places("acme"), Places("rival")

    def layers_for(ref: SpaceRef):
        return {"notes": acme, "rival": rival}[ref.name](ref)

    async with manager_on(memory_url, layers_for) as manager:
        notes, other = await manager.create("notes"), await manager.create("rival")
        await write(notes, "a")
        await write(other, "a", "b")
        await manager.flush("notes")
        await manager.flush("rival")
        before = dict(rival["rival"].records)
        await manager.add_layer("notes", rival.make("rival"))
        await until(partial(_failed, manager, "rival"))
        assert "another space" in str((await manager.status("notes"))["rival"].last_error)
        assert rival["rival"].records == before
    assert sum(acme["acme"].vector.values()) == 1


async def _failed(manager, layer: str) -> bool:
    return (await manager.status("notes"))[layer].last_error is not None


# -- the life of a space -------------------------------------------------------------------------


async def test_an_existing_space_is_added_with_all_that_it_holds(memory_url):
    places = Places("backup")
    async with manager_on(memory_url, places) as manager:
        store = await manager.primary.content_store("notes")
        await write(store, "a", "b")
        added = await manager.add(store)
        assert added.space == store.space
        await manager.flush("notes")
        assert sum(places["backup"].vector.values()) == 2
        with pytest.raises(SpaceAlreadyOpenError):
            await manager.add(store)
        with pytest.raises(SpaceAlreadyOpenError):
            await manager.create("notes")
        await manager.close("notes")
        with pytest.raises(SpaceExistsError):
            await manager.create("notes")
        assert (await manager.load("notes")).space == store.space


async def test_after_closing_nothing_is_written_and_nobody_listens(memory_url):
    """B4: what was pending is pushed first."""
    places = Places("server")
    async with manager_on(memory_url, places) as manager:
        store = await manager.create("notes")
        await manager.flush("notes")
        await write(store, *(f"k{n}" for n in range(5)))
        await manager.close("notes")
        assert sum(places["server"].vector.values()) == 5
        assert layer_tasks() == []
        assert places.layer("server").opened == 0
        await write(store, "later")
        await manager.close("notes")  # again is no error
        assert manager.get("notes") is None
        assert sum(places["server"].vector.values()) == 5
        await manager.load("notes")
        await manager.flush("notes")
        assert sum(places["server"].vector.values()) == 6


async def test_a_manager_that_is_closed_lets_go_of_everything_and_says_so(memory_url):
    """B4."""
    places = Places("server")
    async with manager_on(memory_url, places) as manager:
        await manager.create("one")
        heard = manager.events()
        await manager.aclose()
        await manager.aclose()
        assert [event.kind async for event in heard][-1] == "closed"
        assert layer_tasks() == []
        for call in (
            manager.load("one"),
            manager.create("two"),
            manager.add_layer("one", MemoryLayer()),
        ):
            with pytest.raises(ClosedError):
                await call
        assert manager.active() == []


async def test_closing_while_a_space_is_loaded_ends_the_loading(memory_url):
    places = Places("silent")
    wait_for(places, "silent", asyncio.Event())
    async with manager_on(memory_url, places) as manager:
        loading = asyncio.create_task(manager.load("notes"))
        await until(lambda: bool(places.layers["silent"]))
        await manager.close("notes")
        with pytest.raises(ClosedError, match="'notes' was closed"):
            await loading  # it was not cancelled itself
        assert layer_tasks() == []
        assert not await manager.primary.spaces.exists("notes")


async def test_layers_come_and_go_while_a_space_is_open(memory_url):
    places = Places("first")
    async with manager_on(memory_url, places) as manager:
        store = await manager.create("notes")
        await write(store, "a")
        places.places["second"], places.layers["second"] = MemoryPlace(), []
        await manager.add_layer("notes", places.make("second"))
        await manager.flush("notes")
        assert places["second"].records == places["first"].records
        with pytest.raises(DataError):
            await manager.add_layer("notes", places.make("second"))
        await manager.remove_layer("notes", "second")
        assert places.layers["second"][0].opened == 0
        await write(store, "b")
        await manager.flush("notes")
        assert len(places["second"].vector) == 1
        assert places["second"].records != places["first"].records
        assert list(await manager.status("notes")) == ["first"]
        with pytest.raises(DataError):
            await manager.remove_layer("notes", "second")
        with pytest.raises(MisuseError):
            await manager.add_layer("other", places.make("second"))


async def test_a_layer_that_comes_twice_at_once_is_taken_once(memory_url):
    async with manager_on(memory_url, lambda _ref: []) as manager:
        await manager.create("notes")
        twice = [manager.add_layer("notes", MemoryLayer()) for _ in range(2)]
        assert [type(end) for end in await asyncio.gather(*twice, return_exceptions=True)] == [
            type(None),
            DataError,
        ]
        assert len(layer_tasks()) == 1


async def test_a_layer_that_comes_while_the_space_is_closed_is_not_begun_with(memory_url):
    async with manager_on(memory_url, lambda _ref: []) as manager:
        await manager.create("notes")
        added = asyncio.create_task(manager.add_layer("notes", MemoryLayer()))
        await asyncio.sleep(0)  # it looks for the space
        await manager.close("notes")
        with pytest.raises(MisuseError, match="closed meanwhile"):
            await added
        assert layer_tasks() == []


async def test_the_status_of_each_layer_tells_how_it_is(sqlite_url):
    """B19: connected, behind by so many, the last error; also of a space that is not open."""
    places = Places("good", "away")
    places.prepare["away"] = lambda layer: layer.cut()
    async with manager_on(sqlite_url, places) as manager:
        store = await manager.create("notes")
        await write(store, "a", "b", "c")
        await manager.flush("notes", "good")
        await until(partial(_failed, manager, "away"))
        status = await manager.status("notes")
        assert (status["good"].connected, status["good"].behind) == (True, 0)
        assert status["good"].heard_at is not None
        assert status["good"].last_error is None
        assert (status["away"].connected, status["away"].behind) == (False, 3)
        assert "cut" in str(status["away"].last_error)
        assert status["away"].failed_at is not None
        assert status["away"].failures > 0
        await manager.close("notes")
        closed = await manager.status("notes")
        assert {layer: each.behind for layer, each in closed.items()} == {"good": 0, "away": 3}
        assert {each.state for each in closed.values()} == {"closed"}
        with pytest.raises(SpaceNotFoundError):
            await manager.status("other")


async def test_events_tell_what_happens_in_order(memory_url):
    places = Places("server")
    async with manager_on(memory_url, places) as manager:
        heard = manager.events()
        store = await manager.create("notes")
        await write(store, "a")
        await manager.flush("notes")
        await manager.close("notes")
        await manager.aclose()
        kinds = [event.kind async for event in heard]
    assert kinds[0] == "opened"
    assert kinds[-1] == "closed"
    assert kinds.index("connected") < kinds.index("pushed") < len(kinds) - 1


async def test_who_reads_events_too_slowly_loses_the_oldest(memory_url):
    async with manager_on(memory_url, lambda _ref: []) as manager:
        heard = manager.events()
        for n in range(300):
            await manager.create(f"s{n}")
            await manager.close(f"s{n}")
            if n == 0:
                for _ in range(700):
                    manager._tell(await anext(heard))
        await manager.aclose()
        found = [event.space async for event in heard]
    assert found[-1] == "s299"
    assert len(found) <= 1000


@each(
    "options",
    [
        {"load_timeout": -1},
        {"flush_timeout": "5"},
        {"durability": [""]},
        {"first_retry": True},
        {"secrets_interval": 0},
    ],
)
async def test_an_option_that_makes_no_sense_is_refused(options):
    async with ramax.connect() as db:
        with pytest.raises(DataError):
            ramax.SpaceManager(db, **options)


async def test_layers_of_one_space_need_ids_of_their_own(memory_url):
    places = Places("same")
    async with manager_on(memory_url, lambda ref: [places.make("same")] * 2) as manager:
        with pytest.raises(DataError, match="must differ"):
            await manager.create("notes")
        assert manager.active() == []


# -- durability ----------------------------------------------------------------------------------


async def test_a_commit_waits_for_the_layers_that_durability_names(memory_url):
    places = Places("server", "other")
    places.prepare["other"] = lambda layer: layer.cut()
    async with manager_on(memory_url, places, durability=["server"]) as manager:
        store = await manager.create("notes")
        await store.kv.put("a", 1)
        assert sum(places["server"].vector.values()) == 1
        async with store.transaction() as tx:
            await tx.kv.put("b", 2)
            await tx.kv.put("c", 3)
        assert sum(places["server"].vector.values()) == 3
        with pytest.raises(MisuseError):
            await manager.remove_layer("notes", "server")


async def test_a_commit_that_is_not_confirmed_stays_and_the_error_says_so(memory_url):
    places = Places("server")
    options = {"durability": ["server"], "durability_timeout": 0.05}
    async with manager_on(memory_url, places, **options) as manager:
        store = await manager.create("notes")
        await manager.flush("notes")
        places.layer("server").cut()
        with pytest.raises(DurabilityError) as caught:
            await store.kv.put("a", 1)
        assert caught.value.layers == ("server",)
        assert not caught.value.retryable
        with pytest.raises(DurabilityError):
            async with store.transaction() as tx:
                await tx.kv.put("b", 2)
        assert await store.kv.get_many(["a", "b"]) == {"a": 1, "b": 2}
        places.layer("server").mend()
        await manager.flush("notes")
        assert sum(places["server"].vector.values()) == 2
        await manager.close("notes")
        await store.kv.put("c", 3)  # nobody waits for a layer any more


async def test_durability_names_layers_that_there_are(memory_url):
    async with manager_on(memory_url, Places("server"), durability=["servr"]) as manager:
        with pytest.raises(DataError, match="servr"):
            await manager.create("notes")


async def test_no_layer_holds_up_a_commit_that_does_not_wait_for_it(memory_url):
    places = Places("silent")
    wait_for(places, "silent", asyncio.Event())
    async with manager_on(memory_url, places, flush_timeout=0.01) as manager:
        async with asyncio.timeout(PATIENCE):
            store = await manager.create("notes")
            await write(store, *(f"k{n}" for n in range(20)))
        assert (await manager.status("notes"))["silent"].behind == 20


async def test_an_error_that_no_retry_mends_is_tried_seldom_and_at_once_when_asked(memory_url):
    places = Places("server")
    places.prepare["server"] = lambda layer: layer.faults.errors.append(LayerError("server", "no"))
    async with manager_on(memory_url, places, last_retry=9999) as manager:
        await manager.create("notes")
        await until(partial(_failed, manager, "server"))
        assert (await manager.status("notes"))["server"].retry_at is not None
        manager.retry("notes")
        await manager.flush("notes")
