"""The statements of a rebuild: reading the stored keys in order, writing what differs."""

import pytest

from ramax.storage import pstate
from ramax.storage.faults import UniqueViolationError
from ramax.storage.rebuild import add, read_changed_since, read_key_count, read_stored, replace
from tests._tables import dump, of_space

KEYS = [f"key:{i:04}" for i in range(600)]


@pytest.fixture
async def space(db):
    """A space with 600 keys of another time, beside one with the same keys."""
    made = await db.spaces.create("mine")
    other = await db.spaces.create("other")
    for each in (made, other):
        await locked(
            db,
            lambda ex, each=each: pstate.put(
                ex, each.space_id, [(key, b"old") for key in KEYS], now=10, direct=False
            ),
        )
    return made


def locked(db, work):
    return db._core.backend.locked(work)


async def rows(db, space):
    found = of_space(await dump(db), space.space_id)["pstate_entities"]
    return {r["key"]: (r["value"], r["updated_at"], r["direct"]) for r in found}


@pytest.mark.parametrize("count", [0, 1, 249, 250, 251, 600])
async def test_values_are_written_whatever_their_number(db, space, count):
    values = [(key, f"new {key}".encode()) for key in KEYS[:count]]
    values += [(f"added:{i:04}", b"new") for i in range(count)]
    await locked(db, lambda ex: replace(ex, space.space_id, sorted(values), now=20))
    expected = dict.fromkeys(KEYS, (b"old", 10, 0)) | {k: (v, 20, 0) for k, v in values}
    assert await rows(db, space) == expected


@pytest.mark.parametrize("count", [0, 1, 250, 251, 5000])
async def test_new_keys_are_added_whatever_their_number(db, space, count):
    values = [(f"added:{i:04}", f"new {i}".encode()) for i in range(count)]
    await locked(db, lambda ex: add(ex, space.space_id, iter(values), now=20))
    expected = dict.fromkeys(KEYS, (b"old", 10, 0)) | {k: (v, 20, 0) for k, v in values}
    assert await rows(db, space) == expected


async def test_what_was_added_goes_with_its_transaction(db, space):
    before = await rows(db, space)

    def work(ex):
        read_key_count(ex, space.space_id)
        add(ex, space.space_id, [("added", b"new")], now=20)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await locked(db, work)
    assert await rows(db, space) == before


async def test_adding_a_key_that_is_there_is_refused_where_it_would_be_copied(db, space):
    if db._core.backend.tables.dialect == "sqlite":
        pytest.skip("SQLite replaces it: nothing is faster there")
    values = [("added", b"new"), (KEYS[0], b"new")]
    before = await rows(db, space)

    def work(ex):
        read_key_count(ex, space.space_id)
        add(ex, space.space_id, values, now=20)

    with pytest.raises(UniqueViolationError):
        await locked(db, work)
    assert await rows(db, space) == before


async def test_rows_that_are_the_same_are_not_touched(db, space):
    values = [(key, b"old" if i % 3 else b"new") for i, key in enumerate(KEYS)]
    await locked(db, lambda ex: replace(ex, space.space_id, values, now=20))
    assert set((await rows(db, space)).values()) == {
        (b"old", 10, 0),
        (b"new", 20, 0),
    }


async def test_a_row_that_put_wrote_becomes_an_events(db, space):
    await locked(
        db, lambda ex: pstate.put(ex, space.space_id, [(KEYS[0], b"old")], now=11, direct=True)
    )
    await locked(db, lambda ex: replace(ex, space.space_id, [(KEYS[0], b"old")], now=20))
    assert (await rows(db, space))[KEYS[0]] == (b"old", 20, 0)


async def test_other_spaces_are_not_touched(db, space):
    other = await db.spaces.get("other")
    before = await rows(db, other)
    values = [(key, b"new") for key in KEYS]
    await locked(db, lambda ex: replace(ex, space.space_id, values, now=20))
    assert await rows(db, other) == before


async def test_stored_keys_come_in_pages_in_key_order(db, space):
    found: list[str] = []
    after = ""
    while True:
        page = await db._core.reader.run(
            lambda ex, after=after: read_stored(ex, space.space_id, after=after, limit=250)
        )
        found += [row[0] for row in page]
        if len(page) < 250:
            break
        after = page[-1][0]
    assert found == KEYS


@pytest.mark.parametrize("page", [1, 2, 3, 100])
async def test_what_changed_since_comes_in_pages(db, space, page):
    late = [(key, b"new") for key in KEYS[5:8]]
    await locked(db, lambda ex: pstate.put(ex, space.space_id, late, now=20, direct=False))
    pages = await db._core.reader.run(
        lambda ex: list(read_changed_since(ex, space.space_id, 20, page))
    )
    assert [key for keys in pages for key in keys] == KEYS[5:8]
    assert all(0 < len(keys) <= page for keys in pages)


async def test_the_keys_of_one_space_are_counted(db, space):
    await locked(db, lambda ex: pstate.delete(ex, space.space_id, KEYS[:100]))
    assert await db._core.reader.run(lambda ex: read_key_count(ex, space.space_id)) == 500
