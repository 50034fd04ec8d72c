"""`db.spaces`: creating, finding, listing, renaming, counting and deleting spaces."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from hypothesis import given, settings

import ramax
from ramax import DataError, MisuseError, NewEvent, NotFoundError, RamaxError, Ref, field
from ramax.errors import (
    CodecError,
    SpaceExistsError,
    SpaceNameError,
    SpaceNotEmptyError,
    SpaceNotFoundError,
)
from tests._counting import counted
from tests._domains import add, counter, nothing, refuse
from tests._each import each
from tests._merging import took_over
from tests._racers import START, race
from tests._reading import park
from tests._replicas import came_from, heard_of, looked_back, postponed, refused
from tests._tables import dump, of_space, without_space
from tests._values import EVERY_TYPE, payloads, same
from tests._vectors import copied
from tests.secrets._vaults import OneKey, secrets_of

BAD_NAMES = ["", " ", "A", "1a", "-a", "_a", "a b", "a.b", "a/b", "ä", "a" * 65, "a\x00", "a\n"]
BAD_NAMES += ["\ud800", "_system_", "_system_x", "a\u0661"]
NOT_A_STR = [None, 1, b"a", True, ["a"]]


# -- names -------------------------------------------------------------------------------------


@each("name", ["a", "z" * 64, "crm_acme", "crm-acme", "a0", "default2"])
async def test_a_name_by_the_rule_is_taken(db, name):
    made = await db.spaces.create(name)
    assert made.space_name == name
    assert await db.spaces.find_by_name(name) == made
    assert ramax.validate_space_name(name) == name


@each("name", [*BAD_NAMES, *NOT_A_STR])
async def test_a_new_space_may_not_break_the_rule_for_names(db, name):
    keeper = await db.spaces.get_or_create("keeper")
    before = await dump(db)
    for attempt in (
        lambda: db.spaces.create(name),
        lambda: db.spaces.get_or_create(name),
        lambda: db.spaces.rename("keeper", name),
        lambda: db.spaces.rename(keeper, name),
    ):
        with pytest.raises(SpaceNameError) as caught:
            await attempt()
        assert caught.value.value == name
        assert caught.value.rule in str(caught.value)
    with pytest.raises(SpaceNameError):
        ramax.validate_space_name(name)
    assert await dump(db) == before


@each("name", BAD_NAMES)
async def test_a_store_cannot_create_a_space_against_the_rule(db, name):
    before = await dump(db)
    with pytest.raises(SpaceNameError):
        await db.content_store(name)
    assert await dump(db) == before


@pytest.mark.parametrize("name", ["Crm Acme", "ä", "UPPER", "9", "a" * 200, "x.y"])
async def test_a_space_that_exists_is_opened_whatever_its_name(db, name):
    """Imported databases keep the names they have."""
    made = await db.spaces.create("imported")
    spaces = db._core.backend.tables.spaces
    async with db.connection() as connection:
        await connection.execute(sa.update(spaces).values(space_name=name))
        await connection.commit()
    for found in (
        await db.spaces.find_by_name(name),
        await db.spaces.get(name),
        await db.spaces.get_or_create(name),
        (await db.content_store(name)).space,
        (await db.content_store(name, create=False)).space,
    ):
        assert found is not None
        assert (found.space_id, found.space_name) == (made.space_id, name)
    assert await db.spaces.exists(name)
    event = await db.events.append(name, "e", "t", {})
    assert event.space_id == made.space_id
    assert (await db.spaces.stats(name)).event_count == 1
    assert [s.space_name for s in await db.spaces.list_all()] == ["default", name]
    assert (await db.spaces.rename(name, "good")).space_id == made.space_id


async def test_system_spaces_are_hidden_and_reserved(db):
    made = await db.spaces.create("machinery")
    spaces = db._core.backend.tables.spaces
    async with db.connection() as connection:
        await connection.execute(sa.update(spaces).values(space_name="_system_x"))
        await connection.commit()
    assert [s.space_name for s in await db.spaces.list_all()] == ["default"]
    assert await db.spaces.list_all("_system_") == []
    assert [s.space.space_name for s in await db.spaces.stats()] == ["default"]
    assert (await db.spaces.get("_system_x")).space_id == made.space_id
    with pytest.raises(SpaceNameError, match="reserved"):
        await db.spaces.create("_system_y")


# -- creating and finding ------------------------------------------------------------------------


async def test_create_gives_a_frozen_space_with_an_aware_time(db):
    before = datetime.now(UTC) - timedelta(seconds=1)
    made = await db.spaces.create("acme", {"plan": "gold", "seats": 3})
    assert made.space_id == 1
    assert made.space_name == "acme"
    assert before <= made.created_at <= datetime.now(UTC) + timedelta(seconds=1)
    assert made.created_at.utcoffset() == timedelta(0)
    assert dict(made.metadata) == {"plan": "gold", "seats": 3}
    with pytest.raises(AttributeError):
        made.space_name = "other"
    with pytest.raises(TypeError):
        made.metadata["plan"] = "free"
    assert await db.spaces.find_by_id(1) == made


async def test_creating_a_name_twice_is_an_error_and_changes_nothing(db):
    await db.spaces.create("acme", {"a": 1})
    before = await dump(db)
    with pytest.raises(SpaceExistsError) as caught:
        await db.spaces.create("acme", {"a": 2})
    assert caught.value.name == "acme"
    assert await dump(db) == before


async def test_stored_metadata_wins(db):
    first = await db.spaces.get_or_create("acme", {"plan": "gold"})
    again = await db.spaces.get_or_create("acme", {"plan": "free"})
    store = await db.content_store("acme", metadata={"plan": "none"})
    assert first == again == store.space
    assert again.metadata == {"plan": "gold"}
    bare = await db.spaces.get_or_create("bare")
    assert (await db.spaces.get_or_create("bare", {"late": 1})).metadata == bare.metadata == {}


async def test_many_callers_that_get_or_create_one_space_get_the_same(db):
    found = await asyncio.gather(*(db.spaces.get_or_create("acme", {"n": n}) for n in range(20)))
    assert len({space.space_id for space in found}) == 1
    assert len({space.metadata["n"] for space in found}) == 1
    assert [s.space_name for s in await db.spaces.list_all()] == ["default", "acme"]


async def test_of_many_callers_that_create_one_space_one_wins(db):
    outcomes = await asyncio.gather(
        *(db.spaces.create("acme") for _ in range(10)), return_exceptions=True
    )
    won = [o for o in outcomes if isinstance(o, ramax.Space)]
    lost = [o for o in outcomes if isinstance(o, SpaceExistsError)]
    assert (len(won), len(lost)) == (1, 9)


CREATOR = """
    import asyncio, sys
    import ramax
    async def main():
        async with ramax.connect(sys.argv[1]) as db:
            START
            made = await db.spaces.get_or_create("acme", {"by": sys.argv[1]})
            try:
                await db.spaces.create("other")
                first = True
            except ramax.SpaceExistsError:
                first = False
            print(made.space_id, first)
    asyncio.run(main())
"""


def test_of_many_processes_that_create_one_space_one_does(durable_url):
    answers = [line.split() for line in race(CREATOR, durable_url, racers=3)]
    assert len({space_id for space_id, _ in answers}) == 1
    assert sorted(first for _, first in answers) == ["False"] * 2 + ["True"]


async def test_what_does_not_exist_is_none_false_or_an_error(db):
    assert await db.spaces.find_by_name("nobody") is None
    assert await db.spaces.find_by_id(77) is None
    assert await db.spaces.find_by_id(2**63 - 1) is None
    assert await db.spaces.exists("nobody") is False
    assert await db.spaces.exists(77) is False
    for missing in ("nobody", 77):
        for attempt in (
            lambda m=missing: db.spaces.get(m),
            lambda m=missing: db.spaces.stats(m),
            lambda m=missing: db.spaces.delete(m),
            lambda m=missing: db.spaces.delete(m, force=True),
            lambda m=missing: db.spaces.rename(m, "other"),
            lambda m=missing: db.spaces.update_metadata(m, {}),
            lambda m=missing: db.content_store(m, create=False),
            lambda m=missing: db.events.append(m, "e", "t", {}),
            lambda m=missing: db.events.get_events(m, "e"),
            lambda m=missing: db.events.get_space_latest_sequence(m),
            lambda m=missing: db.pstate.get(m, "k"),
            lambda m=missing: db.pstate.put(m, "k", 1),
            lambda m=missing: db.checkpoints.get(m, "c"),
            lambda m=missing: db.checkpoints.list(m),
        ):
            with pytest.raises(SpaceNotFoundError) as caught:
                await attempt()
            assert caught.value.space == missing
            assert isinstance(caught.value, LookupError)
            assert isinstance(caught.value, NotFoundError)
    assert await db.spaces.list_all() == [await db.spaces.get("default")]


@each("wrong", [None, 1.0, b"a", True, ["a"], object(), -1, 2**63, 10**40])
async def test_what_is_no_space_at_all_is_refused(db, wrong):
    for attempt in (
        lambda: db.spaces.get(wrong),
        lambda: db.spaces.exists(wrong),
        lambda: db.spaces.find_by_id(wrong),
        lambda: db.spaces.find_by_name(wrong),
        lambda: db.spaces.delete(wrong),
        lambda: db.events.append(wrong, "e", "t", {}),
        lambda: db.pstate.get(wrong, "k"),
        lambda: db.content_store(wrong),
    ):
        with pytest.raises(DataError):
            await attempt()


async def test_finding_by_name_takes_a_name_and_by_id_an_id(db):
    made = await db.spaces.create("acme")
    with pytest.raises(DataError):
        await db.spaces.find_by_name(made.space_id)
    with pytest.raises(DataError):
        await db.spaces.find_by_id("acme")


@each("name", ["a\x00b", "\ud800", "x" * 100_000, "'; drop table spaces"])
async def test_names_that_no_space_can_have_are_simply_not_there(db, name):
    assert await db.spaces.find_by_name(name) is None
    assert not await db.spaces.exists(name)
    with pytest.raises(SpaceNotFoundError):
        await db.spaces.get(name)
    assert await db.spaces.list_all(name) == []


# -- listing -------------------------------------------------------------------------------------


async def test_spaces_are_listed_by_id_not_by_name(db):
    for name in ("zebra", "ant", "mole"):
        await db.spaces.create(name)
    listed = await db.spaces.list_all()
    assert [s.space_name for s in listed] == ["default", "zebra", "ant", "mole"]
    assert [s.space_id for s in listed] == [0, 1, 2, 3]


async def test_the_prefix_of_a_listing_is_literal(db):
    for name in ("crm_a", "crm-b", "crmx", "other", "cr"):
        await db.spaces.create(name)
    names = {
        prefix: [s.space_name for s in await db.spaces.list_all(prefix)]
        for prefix in ("crm", "crm_", "c%", "d", "", "zzz", "crm_a", "crm_ab", "CRM")
    }
    assert names["crm"] == ["crm_a", "crm-b", "crmx"]
    assert names["crm_"] == names["crm_a"] == ["crm_a"]
    assert names["c%"] == names["zzz"] == names["crm_ab"] == names["CRM"] == []
    assert names["d"] == ["default"]
    assert names[""] == ["default", "crm_a", "crm-b", "crmx", "other", "cr"]


@each("prefix", [1, b"a", ["a"], True])
async def test_a_prefix_that_is_not_text_is_refused(db, prefix):
    with pytest.raises(DataError, match="prefix"):
        await db.spaces.list_all(prefix)


async def test_a_thousand_spaces_are_listed_whole(db):
    async with db.connection() as connection:
        spaces, guards = (
            db._core.backend.tables.spaces,
            db._core.backend.tables.space_sequences,
        )
        rows = [{"space_name": f"s{n:04}", "created_at": n} for n in range(1000)]
        await connection.execute(sa.insert(spaces), rows)
        ids = (await connection.scalars(sa.select(spaces.c.space_id))).all()
        await connection.execute(sa.insert(guards), [{"space_id": i} for i in ids])
        await connection.commit()
    assert len(await db.spaces.list_all()) == 1001
    assert len(await db.spaces.list_all("s00")) == 100
    assert len(await db.spaces.stats()) == 1001


# -- default -------------------------------------------------------------------------------------


async def test_default_exists_at_once_and_costs_no_row(db):
    assert await db.spaces.exists("default")
    found = await db.spaces.get("default")
    assert found == await db.spaces.find_by_name("default") == (await db.spaces.list_all())[0]
    assert found == await db.spaces.get(found)
    store = await db.content_store()
    assert store.space.space_name == "default"
    assert await db.spaces.get_or_create("default") == found
    assert await store.pstate.get("k") is None
    assert [e async for e in store.events.stream_space_events()] == []
    assert await store.events.get_space_latest_sequence() == 0
    assert await store.get_checkpoint() == 0
    assert await store.pstate.count() == 0
    stats = await db.spaces.stats("default")
    assert (stats.event_count, stats.key_count, stats.last_event_at) == (0, 0, None)
    assert [s.space.space_name for s in await db.spaces.stats()] == ["default"]
    assert (await dump(db))["spaces"] == []


async def test_the_first_space_of_an_application_has_id_1(db):
    await db.content_store()
    assert (await db.spaces.create("acme")).space_id == 1
    event = await db.events.append("default", "e", "t", {})
    assert event.space_id == 2
    assert [s.space_name for s in await db.spaces.list_all()] == ["acme", "default"]


@pytest.mark.parametrize(
    "write",
    [
        lambda db: db.events.append("default", "e", "t", {}),
        lambda db: db.pstate.put("default", "k", 1),
        lambda db: db.spaces.update_metadata("default", {"a": 1}),
        lambda db: db.content_store("default", metadata={"a": 1}),
    ],
    ids=["event", "key", "metadata", "store with metadata"],
)
async def test_default_gets_its_row_at_the_first_write(db, write):
    handle = await db.content_store("default", counter())
    before = await db.spaces.get("default")
    await write(db)
    found = await db.spaces.get("default")
    assert found.space_id == 1
    assert found == await db.spaces.get_or_create("default") == await db.spaces.get(before)
    assert [s.space_id for s in await db.spaces.list_all()] == [1]
    commit = await handle.execute(add)  # a handle of before works on
    assert commit.events[0].space_id == 1


async def test_a_write_to_default_that_fails_leaves_no_row(db):
    store = await db.content_store("default", counter())
    for attempt in (
        lambda: db.events.append("default", "", "t", {}),
        lambda: db.events.append("default", "e", "t", {"x": object()}),
        lambda: db.events.append("default", "e", "t", {}, expected_sequence=5),
        lambda: store.execute(refuse),
        lambda: store.execute(refuse, idempotency_key="k"),
        lambda: store.execute(add, expected_sequence=3),
        lambda: store.execute_many([(add, None), (refuse, None)]),
        lambda: store.update_checkpoint(1, name="reader"),
        lambda: db.checkpoints.advance("default", "reader", 1, expected=0),
        lambda: db.spaces.update_metadata("default", {"x": object()}),
        lambda: db.pstate.put("default", "k", object()),
    ):
        with pytest.raises(RamaxError):
            await attempt()
    commit = await store.execute(nothing)
    assert (commit.events, commit.space_sequence) == ((), 0)
    assert await store.catchup_pstate() == 0
    assert await store.pstate.delete("k") is False
    assert (await dump(db))["spaces"] == []
    assert (await db.spaces.create("acme")).space_id == 1


async def test_many_first_writes_to_default_at_once_agree_on_one_row(db):
    stores = [await db.content_store("default", counter()) for _ in range(10)]
    commits = await asyncio.gather(*(store.execute(add) for store in stores))
    assert sorted(c.space_sequence for c in commits) == list(range(1, 11))
    assert len((await dump(db))["spaces"]) == 1
    assert await stores[0].pstate.fetch("n") == 10


async def test_default_is_neither_deleted_nor_renamed_nor_created(db):
    other = await db.spaces.create("other")
    for when in ("without a row", "with a row"):
        before = await dump(db)
        for attempt in (
            lambda: db.spaces.delete("default"),
            lambda: db.spaces.delete("default", force=True),
            lambda: db.spaces.rename("default", "main"),
            lambda: db.spaces.rename(other, "default"),
        ):
            with pytest.raises(MisuseError, match="default"):
                await attempt()
        with pytest.raises(SpaceExistsError):
            await db.spaces.create("default")
        assert await dump(db) == before, when
        await db.pstate.put("default", "k", 1)


# -- rename and metadata -------------------------------------------------------------------------


async def test_a_renamed_space_keeps_everything_but_its_name(db):
    store = await db.content_store("old", counter(), metadata={"plan": "gold"})
    await store.execute(add)
    before = of_space(await dump(db), store.space.space_id)
    renamed = await db.spaces.rename("old", "new")
    assert renamed.space_id == store.space.space_id
    assert renamed.space_name == "new"
    assert renamed.metadata == {"plan": "gold"}
    assert await db.spaces.find_by_name("old") is None
    after = of_space(await dump(db), store.space.space_id)
    assert {k: v for k, v in after.items() if k not in {"spaces", "space_sequences"}} == {
        k: v for k, v in before.items() if k not in {"spaces", "space_sequences"}
    }
    assert (await store.execute(add)).space_sequence == 2  # a handle of before
    assert await (await db.content_store("new", counter())).pstate.fetch("n") == 2
    assert (await db.spaces.create("old")).space_id != renamed.space_id


async def test_renaming_to_a_taken_name_changes_nothing(db):
    await db.spaces.create("a")
    await db.spaces.create("b")
    before = await dump(db)
    with pytest.raises(SpaceExistsError):
        await db.spaces.rename("a", "b")
    assert await dump(db) == before
    assert (await db.spaces.rename("a", "a")).space_name == "a"


async def test_two_spaces_renamed_to_one_name_at_once_do_not_both_get_it(db):
    for name in ("a", "b"):
        await db.spaces.create(name)
    outcomes = await asyncio.gather(
        db.spaces.rename("a", "c"), db.spaces.rename("b", "c"), return_exceptions=True
    )
    assert [type(o) for o in outcomes if not isinstance(o, ramax.Space)] == [SpaceExistsError]


async def test_metadata_is_replaced_whole(db):
    made = await db.spaces.create("acme", {"a": 1, "b": 2})
    updated = await db.spaces.update_metadata("acme", {"c": 3})
    assert updated.metadata == {"c": 3}
    assert updated == await db.spaces.get("acme")
    assert (updated.space_id, updated.created_at) == (made.space_id, made.created_at)
    assert (await db.spaces.update_metadata(updated, {})).metadata == {}


@each(
    "metadata", [[], 0, "", "text", 5, ["a"], {1: 2}, {"x": object()}, {"x": "\ud800"}, {"a": {1j}}]
)
async def test_metadata_that_cannot_be_stored_changes_nothing(db, metadata):
    await db.spaces.get_or_create("acme", {"a": 1})
    before = await dump(db)
    for attempt in (
        lambda: db.spaces.create("other", metadata),
        lambda: db.spaces.get_or_create("other", metadata),
        lambda: db.content_store("other", metadata=metadata),
        lambda: db.spaces.update_metadata("acme", metadata),
        lambda: db.spaces.update_metadata("default", metadata),
        lambda: db.content_store("default", metadata=metadata),
    ):
        with pytest.raises(CodecError, match="metadata"):
            await attempt()
    assert await dump(db) == before


async def test_metadata_handed_out_is_the_callers_own(db):
    given = {"tags": ["a"]}
    made = await db.spaces.create("acme", given)
    given["tags"].append("b")
    made.metadata["tags"].append("c")
    found = await db.spaces.get("acme")
    assert found.metadata == {"tags": ["a"]}
    found.metadata["tags"].append("d")
    assert (await db.spaces.get("acme")).metadata == {"tags": ["a"]}
    stats = await db.spaces.stats("default")
    stats.checkpoints["mine"] = 5
    assert (await db.spaces.stats("default")).checkpoints == {"pstate": 0}
    assert (await db.spaces.stats())[0].checkpoints == {"pstate": 0}


async def test_every_type_comes_back_from_metadata_equal_and_of_its_type(db):
    made = await db.spaces.create("acme", EVERY_TYPE)
    updated = await db.spaces.update_metadata("default", EVERY_TYPE)
    for space in (
        made,
        updated,
        await db.spaces.get("acme"),
        await db.spaces.get("default"),
        (await db.spaces.stats("acme")).space,
        *await db.spaces.list_all(),
    ):
        assert same(dict(space.metadata), EVERY_TYPE)


@settings(max_examples=30, deadline=None)
@given(metadata=payloads)
def test_any_nested_value_comes_back_from_metadata(metadata):
    async def there_and_back():
        async with ramax.connect() as db:
            made = await db.spaces.create("acme", metadata)
            return made, await db.spaces.get("acme")

    for space in asyncio.run(there_and_back()):
        assert same(dict(space.metadata), metadata)


async def test_metadata_is_the_same_after_reopening(durable_url):
    async with ramax.connect(durable_url) as db:
        made = await db.spaces.create("acme", EVERY_TYPE)
    async with ramax.connect(durable_url) as db:
        found = await db.spaces.get("acme")
    assert found == made
    assert same(dict(found.metadata), EVERY_TYPE)


async def test_metadata_is_taken_up_to_16_mib_and_not_one_byte_more(db):
    overhead = len(b"\x81\xa1b\xc6") + 4  # map of one, key, bin32 with its length
    limit = 16 * 1024 * 1024
    made = await db.spaces.create("acme", {"b": bytes(limit - overhead)})
    assert len((await db.spaces.get(made)).metadata["b"]) == limit - overhead
    with pytest.raises(CodecError, match="16,777,216"):
        await db.spaces.update_metadata("acme", {"b": bytes(limit - overhead + 1)})
    with pytest.raises(CodecError, match="16,777,216"):
        await db.spaces.create("other", {"b": bytes(limit - overhead + 1)})
    assert not await db.spaces.exists("other")


# -- stats ---------------------------------------------------------------------------------------


async def test_stats_count_what_each_space_holds(db):
    a = await db.content_store("a", counter())
    await db.spaces.create("b")
    await a.execute(add)
    last = (await a.execute(add)).events[-1]
    await a.pstate.put("direct", 1)
    await a.update_checkpoint(1, name="mailer")
    stats = await db.spaces.stats("a")
    assert stats.space == a.space
    assert (stats.event_count, stats.key_count) == (2, 2)
    assert stats.checkpoints == {"pstate": 2, "mailer": 1}
    assert stats.last_event_at == last.timestamp
    assert stats.bytes > 0
    empty = await db.spaces.stats("b")
    assert (empty.event_count, empty.key_count, empty.last_event_at, empty.bytes) == (0, 0, None, 0)
    assert empty.checkpoints == {"pstate": 0}
    everything = await db.spaces.stats()
    assert everything[1:] == [stats, empty]
    assert everything[0].space.space_name == "default"


async def test_stats_of_every_space_take_one_statement(db):
    for name in ("a", "b", "c"):
        store = await db.content_store(name, counter())
        await store.execute(add)
    async with counted(db) as calls:
        await db.spaces.stats()
    assert calls.statements == 1, calls.texts
    space = await db.spaces.get("b")
    async with counted(db) as calls:
        await db.spaces.stats(space)
    assert calls.statements == 1, calls.texts


# -- delete --------------------------------------------------------------------------------------


async def test_an_empty_space_is_deleted_without_force(db):
    made = await db.spaces.create("acme")
    await db.spaces.delete(made)
    assert await db.spaces.find_by_name("acme") is None
    assert await db.spaces.find_by_id(made.space_id) is None
    assert (await dump(db))["space_sequences"] == []


@pytest.mark.parametrize("content", ["event", "key"])
async def test_a_space_that_is_not_empty_is_deleted_by_force_only(db, content):
    await db.spaces.create("acme")
    if content == "event":
        await db.events.append("acme", "e", "t", {})
    else:
        await db.pstate.put("acme", "k", 1)
    before = await dump(db)
    with pytest.raises(SpaceNotEmptyError) as caught:
        await db.spaces.delete("acme")
    error = caught.value
    assert (error.space, error.event_count, error.key_count) == (
        ("acme", 1, 0) if content == "event" else ("acme", 0, 1)
    )
    assert "force=True" in str(error)
    assert await dump(db) == before
    await db.spaces.delete("acme", force=True)
    assert not await db.spaces.exists("acme")


async def test_a_space_whose_key_is_gone_again_is_empty(db):
    await db.spaces.create("acme")
    await db.pstate.put("acme", "k", 1)
    assert await db.pstate.delete("acme", "k")
    await db.spaces.delete("acme")


class Note:
    about: Ref | None = field(default=None, index=True)


async def fill(db, name):
    """Rows in every table that a space can have rows in."""
    domain = counter()
    domain.entity("note")(Note)
    store = await db.content_store(name, domain, metadata={"of": name})
    await store.execute(add, idempotency_key="key")
    await store.execute(add)
    await store.pstate.put("direct", name)
    await store.pstate.put("note:1", {"about": Ref("note:2")})
    assert [key async for key in store.pstate.referrers("note:2")] == ["note:1"]
    await store.update_checkpoint(1, name="reader")
    await store.events.append_many([NewEvent("noted", {}, entity_id="n", tags=["t"])])
    await store.catchup_pstate()
    await db.spaces.enable_hash_chain(name)
    await db.spaces.enable_search(name, fields={"": ["about"]}, mode="async")
    await store.pstate.put("note:1", {"about": Ref("note:2")})
    await store.snapshots.take()
    async with store.subscribe("subscription") as s:
        await s.ack(await anext(s))
    await park(db, store.space.space_id, name)
    await took_over(db, store.space.space_id)
    await came_from(db, store.space.space_id)
    await heard_of(db, store.space)
    await looked_back(db, store.space.space_id)
    await copied(db, store.space.space_id)
    await refused(db, store.space)
    await postponed(db, store.space)
    await (await secrets_of(db, name, OneKey())).set("secret", name)
    return store


async def test_a_deleted_space_leaves_no_row_and_takes_no_row_of_others(db):
    spaces = [(await fill(db, name)).space for name in ("a", "b", "c")]
    before = await dump(db)
    tables = db._core.backend.tables
    filled = {t.name for t in tables.metadata.sorted_tables if "space_id" in t.c}
    assert set(of_space(before, spaces[1].space_id)) == filled
    await db.spaces.delete("b", force=True)
    after = await dump(db)
    assert of_space(after, spaces[1].space_id) == {}
    assert after == without_space(before, spaces[1].space_id)


async def test_a_space_created_again_begins_anew(db):
    old = await fill(db, "acme")
    last_id = await db.events.get_latest_event_id()
    await db.spaces.delete("acme", force=True)
    assert await db.events.get_latest_event_id() == last_id
    new = await db.content_store("acme", counter())
    assert new.space.space_id > old.space.space_id
    assert new.space.metadata == {}
    assert await new.pstate.get("n") is None
    assert await new.pstate.get("direct") is None
    assert [e async for e in new.events.stream_space_events()] == []
    assert await new.get_checkpoint() == await new.get_checkpoint("reader") == 0
    commit = await new.execute(add, idempotency_key="key")
    assert not commit.replayed
    assert commit.space_sequence == 1
    assert commit.event_ids[0] > last_id
    assert await new.pstate.fetch("n") == 1


async def test_ids_of_the_newest_space_and_event_are_never_used_again(durable_url):
    async with ramax.connect(durable_url) as db:
        made = await db.spaces.create("acme")
        event = await db.events.append(made, "e", "t", {})
        await db.spaces.delete(made, force=True)
    async with ramax.connect(durable_url) as db:
        assert await db.events.get_latest_event_id() == event.event_id
        again = await db.spaces.create("acme")
        assert again.space_id > made.space_id
        assert (await db.events.append(again, "e", "t", {})).event_id > event.event_id


def verbs_of_a_handle(db, store):
    """Every verb that a handle on a space has, as a thing to await."""

    async def read(stream):
        return [each async for each in stream]

    async def transact():
        async with store.transaction() as tx:
            await tx.append("e", "t", {})

    space = store.space
    return {
        "execute": lambda: store.execute(add),
        "execute_many": lambda: store.execute_many([(add, None)]),
        "execute by key": lambda: store.execute(add, idempotency_key="key"),
        "rebuild": store.rebuild_pstate,
        "catchup": store.catchup_pstate,
        "get_checkpoint": store.get_checkpoint,
        "update_checkpoint": lambda: store.update_checkpoint(2, name="reader"),
        "transaction": transact,
        "append": lambda: store.events.append("e", "t", {}),
        "append_many": lambda: store.events.append_many([NewEvent("t", {}, entity_id="e")]),
        "get_event": lambda: store.events.get_event(1),
        "get_events": lambda: store.events.get_events("n"),
        "stream_space": lambda: read(store.events.stream_space_events()),
        "stream_entity": lambda: read(store.events.stream_entity_events("n")),
        "latest": store.events.get_space_latest_sequence,
        "fetch": lambda: store.pstate.fetch("n"),
        "get": lambda: store.pstate.get("n"),
        "get_many": lambda: store.pstate.get_many(["n"]),
        "scan": lambda: read(store.pstate.scan()),
        "count": store.pstate.count,
        "put": lambda: store.pstate.put("other", 1),
        "delete key": lambda: store.pstate.delete("direct"),
        "db.pstate.get": lambda: db.pstate.get(space, "n"),
        "db.pstate.scan": lambda: read(db.pstate.scan(space)),
        "db.checkpoints.get": lambda: db.checkpoints.get(space, "reader"),
        "db.checkpoints.list": lambda: db.checkpoints.list(space),
        "db.checkpoints.advance": lambda: db.checkpoints.advance(space, "x", 1, expected=0),
        "db.spaces.get": lambda: db.spaces.get(space),
        "execute_many of none": lambda: store.execute_many([]),
        "append_many of none": lambda: store.events.append_many([]),
        "get_many of none": lambda: store.pstate.get_many([]),
        "db.spaces.stats": lambda: db.spaces.stats(space),
        "db.spaces.rename": lambda: db.spaces.rename(space, "other"),
        "db.spaces.update_metadata": lambda: db.spaces.update_metadata(space, {}),
        "db.spaces.delete": lambda: db.spaces.delete(space, force=True),
        "db.content_store": lambda: db.content_store(space),
    }


@pytest.mark.parametrize("with_domain", [True, False], ids=["domain", "no domain"])
async def test_every_verb_of_a_handle_to_a_deleted_space_says_so(db, with_domain):
    filled = await fill(db, "acme")
    store = filled if with_domain else await db.content_store("acme")
    await db.spaces.delete("acme", force=True)
    before = await dump(db)
    for name, verb in verbs_of_a_handle(db, store).items():
        with pytest.raises(SpaceNotFoundError):
            raise AssertionError(f"{name} returned {await verb()!r}")
    assert await dump(db) == before


@pytest.mark.parametrize("with_domain", [True, False], ids=["domain", "no domain"])
async def test_a_space_deleted_through_another_database_object_is_gone_here(
    durable_url, with_domain
):
    async with ramax.connect(durable_url) as here, ramax.connect(durable_url) as there:
        store = await fill(here, "acme")
        if not with_domain:
            store = await here.content_store("acme")
        assert await store.pstate.fetch("n") == 2  # whatever is cached here
        await there.spaces.delete("acme", force=True)
        await there.spaces.create("acme")  # another space by the same name
        for name, verb in verbs_of_a_handle(here, store).items():
            with pytest.raises(SpaceNotFoundError):
                raise AssertionError(f"{name} returned {await verb()!r}")


DELETER = """
    import asyncio, sys
    import ramax
    async def main():
        async with ramax.connect(sys.argv[1]) as db:
            await db.spaces.delete("acme", force=True)
        print("deleted")
    asyncio.run(main())
"""


async def test_a_space_deleted_by_another_process_is_gone_here(durable_url):
    async with ramax.connect(durable_url) as db:
        store = await fill(db, "acme")
        script = DELETER.replace("async with ramax", f"{START}\n        async with ramax", 1)
        assert await asyncio.to_thread(race, script, durable_url, racers=1) == ["deleted\n"]
        for attempt in (
            lambda: store.pstate.fetch("n"),
            lambda: store.execute(add),
            lambda: store.pstate.put("k", 1),
            store.events.get_space_latest_sequence,
        ):
            with pytest.raises(SpaceNotFoundError):
                await attempt()


async def test_commands_in_flight_while_their_space_is_deleted_end_one_way_or_the_other(db):
    store = await db.content_store("acme", counter())
    other = await db.content_store("other", counter())
    await store.execute(add)
    outcomes = await asyncio.gather(
        *(store.execute(add) for _ in range(20)),
        db.spaces.delete("acme", force=True),
        *(store.execute(add) for _ in range(20)),
        *(other.execute(add) for _ in range(20)),
        return_exceptions=True,
    )
    for outcome in outcomes[:20] + outcomes[21:41]:
        assert isinstance(outcome, (ramax.Commit, SpaceNotFoundError))
    assert outcomes[20] is None
    assert all(isinstance(o, ramax.Commit) for o in outcomes[41:])
    assert of_space(await dump(db), store.space.space_id) == {}
    assert await other.pstate.fetch("n") == 20


async def test_a_delete_that_is_refused_leaves_the_handle_working(db):
    store = await fill(db, "acme")
    with pytest.raises(SpaceNotEmptyError):
        await db.spaces.delete(store.space)
    assert (await store.execute(add)).space_sequence == 4
    assert await store.pstate.fetch("n") == 3
