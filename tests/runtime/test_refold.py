"""The steps of a rebuild one by one, with others at work between them."""

import asyncio

import pytest

import ramax
from ramax import Domain, NewEvent
from ramax.errors import StorageError
from ramax.runtime.refold import Refold, StaleError
from tests._notes import scanned

# -- what others do between the comparison and the swap ------------------------------------------

KEYS = {f"key:{i:02}": i for i in range(30)}


def versioned(version):
    """Both versions fold `kept`; `left` changes the state by the older one's applicator only."""
    domain = Domain("versioned", entity_id=lambda _: "e")

    @domain.applicator("kept")
    def kept(state, event):
        state.update(event.payload)

    @domain.applicator("left")
    def left(state, event):
        if version == 1:
            state.update(event.payload["set"])
            for key in event.payload["delete"]:
                del state[key]

    return domain


def emit(state, params):
    return [NewEvent(*params)]


@pytest.fixture
async def old(db):
    store = await db.content_store("mine", versioned(1))
    await store.execute(emit, ("kept", KEYS))
    return store


@pytest.fixture
async def new(db, old):
    """Folded and compared, ready to be swapped in; and the guard of the comparison."""
    refold = Refold(versioned(2), old.space, page=7, memory=500)
    core = db._core
    while await core.read_whole(refold.fold_page):
        pass
    guard = await core.read_whole(refold.guard)
    refold.begin_comparison()
    while await core.read_whole(refold.compare_page):
        pass
    yield refold, guard
    refold.close()


async def swap(db, refold, compared):
    core = db._core
    await core.locked("a swap", lambda ex: refold.swap(ex, compared, core.clock()))


@pytest.mark.parametrize(
    ("written", "deleted"),
    [
        ({}, []),
        ({"key:00": "another"}, []),
        ({"key:29": "another", "added": 1, "zz": 2}, []),
        (dict.fromkeys(KEYS, "all"), []),
    ],
)
async def test_what_older_applicators_wrote_meanwhile_is_overwritten(
    db, old, new, written, deleted
):
    await old.execute(emit, ("left", {"set": written, "delete": deleted}))
    await swap(db, *new)
    assert await scanned(old) == KEYS
    assert await old.get_checkpoint() == 2


@pytest.mark.parametrize(
    ("written", "deleted"),
    [
        ({}, ["key:00"]),
        ({}, list(KEYS)),
        ({"added": 1}, ["key:29"]),
        ({"key:01": 1, "aa": 1, "zz": 1}, ["key:00", "key:29"]),
    ],
)
async def test_what_older_applicators_deleted_meanwhile_makes_the_comparison_stale(
    db, old, new, written, deleted
):
    await old.execute(emit, ("left", {"set": written, "delete": deleted}))
    left = await scanned(old)
    with pytest.raises(StaleError):
        await swap(db, *new)
    assert await scanned(old) == left
    await swap(db, new[0], None)  # compared anew, under the lock
    assert await scanned(old) == KEYS


async def test_events_meanwhile_are_folded_by_the_swap(db, old, new):
    for i in range(20):
        await old.execute(emit, ("kept", {f"key:{i:02}": "late", f"late:{i}": i}))
    await swap(db, *new)
    assert await scanned(old) == await folded_anew(db, old)
    assert await old.get_checkpoint() == 21


async def folded_anew(db, store):
    await store.rebuild_pstate()
    return await scanned(store)


async def put(db, old):
    await old.pstate.put("direct", 1)


async def put_and_delete(db, old):
    await old.pstate.put("direct", 1)
    await old.pstate.delete("direct")


async def rebuild(db, old):
    await old.rebuild_pstate()


async def catch_up(db, old):
    await old.events.append("e", "kept", {"raw": 1})
    await old.catchup_pstate()


@pytest.mark.parametrize("interfere", [put, put_and_delete, rebuild, catch_up])
async def test_whatever_replaces_the_state_meanwhile_makes_the_comparison_stale(
    db, old, new, interfere
):
    await interfere(db, old)
    before = await scanned(old)
    with pytest.raises(StaleError):
        await swap(db, *new)
    assert await scanned(old) == before
    await swap(db, new[0], None)
    assert await scanned(old) == {k: v for k, v in before.items() if k != "direct"}


async def test_a_raw_append_meanwhile_is_folded_by_the_swap(db, old, new):
    await old.events.append("e", "kept", {"raw": 1})
    await swap(db, *new)
    assert await scanned(old) == KEYS | {"raw": 1}
    assert await old.catchup_pstate() == 0


async def test_a_temporary_file_that_fails_is_not_for_the_domain_to_catch(db):
    """An applicator that catches everything does not turn a failing read into a missing key."""
    domain = Domain("catching", entity_id=lambda _: "e")

    @domain.applicator("*")
    def apply(state, event):
        try:
            seen = state.get("key:1", "missing")
        except Exception:
            seen = "missing"
        state[f"key:{event.space_sequence}"] = seen

    store = await db.content_store("mine", domain)
    for _ in range(4):
        await store.execute(emit, ("x", {}))
    refold = Refold(domain, store.space, page=2, memory=0)
    core = db._core
    await core.read_whole(refold.fold_page)
    file = refold._values._file
    assert file is not None
    file.execute("DROP TABLE spilled")
    with pytest.raises(StorageError):
        await core.read_whole(refold.fold_page)
    refold.close()


# -- replicated spaces ---------------------------------------------------------------------------


async def test_a_rebuild_ends_beside_those_who_write_all_the_time(db):
    store = await db.content_store("notes")
    await store.kv.put_many({f"k{n}": n for n in range(20)})
    await store.replica.enable()
    ended = asyncio.Event()

    async def write(name):
        written = 0
        while not ended.is_set():
            await store.kv.put(name, written)
            written += 1

    writers = [asyncio.create_task(write(name)) for name in "abc"]
    try:
        async with asyncio.timeout(60):
            await store.rebuild_pstate()
    finally:
        ended.set()
        await asyncio.gather(*writers)
    assert (await store.verify()).ok


async def test_a_fold_ends_beside_those_whose_events_always_belong_before_others(db):
    store = await db.content_store("notes")
    info = await store.replica.enable()
    async with ramax.connect() as elsewhere:
        other = await elsewhere.content_store("notes")
        await other.replica.enable(info.space_uid)
        for n in range(40):
            await other.kv.put(f"k{n % 7}", n)
        late = [each async for page in other.replica.read({}) for each in page]
    for n in range(20):
        await store.kv.put(f"k{n % 7}", f"mine {n}")
    domain = Domain("nothing")
    new, calls = Refold(domain, store.space, page=7, memory=500), 0
    while await db._core.read_whole(new.fold_page):
        await store.replica.ingest([late[calls]])
        calls += 1
    assert 3 < calls < len(late)
    await swap(db, new, None)
    new.close()
    assert (await store.verify()).ok
    assert await store.kv.get("k6") == "mine 13"
