"""Another space that has what one has, and goes on by itself: an environment for trying things."""

import pytest

from ramax.errors import MisuseError, SpaceExistsError, SpaceInUseError, SpaceNotFoundError
from tests._domains import documents, put


@pytest.fixture
async def staging(db):
    store = await db.content_store("cms_staging", documents(), metadata={"of": "staging"})
    await store.execute(put, ["page", {"title": "old"}])
    await store.kv.put("theme", "dark")
    await store.pstate.put("note", 1)
    return store


async def test_a_clone_has_what_its_source_had_and_goes_on_by_itself(db, staging):
    made = await db.spaces.clone("cms_staging", "cms_production_test")
    assert dict(made.metadata) == {"of": "staging"}
    clone = await db.content_store(made, documents())
    await staging.execute(put, ["page", {"title": "new"}])
    await clone.execute(put, ["other", {"title": "mine"}])
    assert await clone.pstate.fetch("page") == {"title": "old"}
    assert await clone.kv.get("theme") == "dark"
    assert await clone.pstate.get("note") == 1
    assert await staging.pstate.get("other") is None
    assert [event.space_sequence async for event in clone.events.stream()] == [1, 2, 3]
    assert (await clone.verify()).findings == ()
    assert (await db.spaces.stats(made)).event_count == 3


async def test_what_was_tried_on_a_clone_is_promoted_back(db, staging):
    clone = await db.content_store(await db.spaces.clone(staging.space, "trial"), documents())
    await clone.execute(put, ["page", {"title": "tried"}])
    done = await db.spaces.promote(clone, staging, ["page"])
    assert done.copied == 1
    assert await staging.pstate.fetch("page") == {"title": "tried"}


async def test_a_source_is_kept_while_its_clone_needs_it(db, staging):
    await db.spaces.clone("cms_staging", "trial")
    with pytest.raises(SpaceInUseError, match=r"main \(trial\)"):
        await db.spaces.delete("cms_staging", force=True)
    await db.spaces.delete("trial", force=True)
    await db.spaces.delete("cms_staging", force=True)


async def test_clones_are_forked_with_their_branch_and_go_with_it(db, staging):
    await db.spaces.clone("cms_staging", "trial")
    await db.branches.fork("main", "experiment")
    view = db.at_branch("experiment")
    await view.spaces.clone("trial", "again")
    again = await view.content_store("again", documents())
    await again.execute(put, ["page", {"title": "again"}])
    assert await (await view.content_store("trial", documents())).pstate.fetch("page") == {
        "title": "old"
    }
    event = (await staging.events.get_events("page"))[0]
    assert (await view.events.get_event(event.event_id)).payload == {"title": "old"}
    await db.branches.delete("experiment")
    assert await db.spaces.exists("trial")


async def test_bad_names_and_sources_are_refused(db, staging):
    for name in ("cms_staging", "default"):
        with pytest.raises(SpaceExistsError):
            await db.spaces.clone("cms_staging", name)
    with pytest.raises(SpaceNotFoundError):
        await db.spaces.clone("nowhere", "x")
    with pytest.raises(MisuseError):
        await db.spaces.clone("default", "x")
