import asyncio
import hashlib
import json
import sqlite3
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import create_async_engine

import ramax
from ramax import Domain, NewEvent
from ramax.errors import (
    CodecError,
    DataError,
    FoldError,
    LegacyFormatError,
    MisuseError,
    NestedTransactionError,
    SpaceExistsError,
    SpaceNameError,
    StorageError,
)
from ramax.legacy import (
    BadRowsError,
    Difference,
    ImportConflictError,
    LostCause,
    import_legacy,
    open_source,
)
from ramax.storage import migrate
from ramax.values import Progress
from tests._tables import dump
from tests.legacy.forms import every_form, space
from tests.legacy.old_files import a_count, counts, spaced, two_spaces
from tests.legacy.samples import DATA, NAMES, told, typed
from tests.migrations.elixir import (
    ALTERED_BY_HAND,
    BEFORE_SPACES,
    PLAIN_EVENTS,
    PLAIN_PSTATE,
    WITH_SPACES,
    ElixirFile,
    event,
    pstate,
)


@pytest.fixture
def old(tmp_path):
    return two_spaces(tmp_path / "elixir.db")


def count(state, params):
    return [NewEvent("thing.done", {"n": params})]


async def events_of(db, name):
    return [e async for e in db.events.stream_space_events(name)]


async def values_of(db, name):
    return [pair async for pair in db.pstate.scan(name)]


async def everything(db):
    """All rows, without what names the moment of writing."""
    return await dump(db)


def sum_of(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


# --- what real Ramax wrote -----------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
async def test_a_sample_reads_value_by_value_and_type_by_type(db, name):
    expected = json.loads((DATA / f"{name}.json").read_text(encoding="utf-8"))
    before = sum_of(DATA / f"{name}.db")
    report = await import_legacy(db, DATA / f"{name}.db")
    assert sum_of(DATA / f"{name}.db") == before
    kept = {each.space_id for each in report.spaces}
    events, values = [], {}
    for each in report.spaces:
        store = await db.content_store(each.space_name, create=False)
        events += [e async for e in store.events.stream_space_events()]
        async for key, value in store.pstate.scan():
            values[each.space_id, key] = value
    events.sort(key=lambda e: e.event_id)
    for rank, (found, as_told) in enumerate(zip(events, expected["events"], strict=True), 1):
        assert typed(found.payload) == typed(told(as_told["payload"]))
        assert int(found.timestamp.timestamp() * 1000 + 0.5) == as_told["timestamp_ms"]
        for column in ("event_id", "entity_id", "event_type", "causation_id", "correlation_id"):
            assert getattr(found, column) == as_told[column]
        assert found.space_id == as_told.get("space_id", 1)
        assert found.space_sequence == as_told.get("space_sequence", rank)
    assert {key: typed(value) for key, value in values.items()} == {
        (e.get("space_id", 1), e["key"]): typed(told(e["value"]))
        for e in expected["pstate"]
        if e.get("space_id", 1) in kept
    }
    assert (report.event_count, report.key_count) == (len(events), len(values))


@pytest.mark.parametrize("name", NAMES)
async def test_bytes_and_times_are_those_of_the_file(db, name):
    await import_legacy(db, DATA / f"{name}.db")
    connection = sqlite3.connect(f"file:{DATA / name}.db?mode=ro&immutable=1", uri=True)
    payloads = connection.execute(
        "SELECT event_id, CAST(payload AS BLOB), created_at * 1000000 FROM events"
    ).fetchall()
    values = connection.execute(
        "SELECT key, CAST(value AS BLOB), updated_at * 1000000 FROM pstate_entities"
    ).fetchall()
    connection.close()
    rows = await dump(db)
    assert (
        sorted((r["event_id"], r["payload"], r["created_at"]) for r in rows["events"]) == payloads
    )
    stored = {(r["key"], r["value"], r["updated_at"]) for r in rows["pstate_entities"]}
    assert stored <= set(values)
    assert {r["format"] for r in rows["events"] + rows["pstate_entities"]} == {"etf"}


@pytest.mark.parametrize("name", NAMES)
async def test_life_goes_on_where_it_was(db, name):
    report = await import_legacy(db, DATA / f"{name}.db")
    plain = Domain("plain", entity_id=lambda _payload: "all")

    @plain.applicator("*")
    def seen(state, event):
        state["seen"] = state.get("seen", 0) + 1

    for each in report.spaces:
        store = await db.content_store(each.space_name, plain, create=False)
        last = await db.events.get_latest_event_id()
        commit = await store.execute(count, 1)
        assert commit.space_sequence == each.old.last_sequence + 1
        assert commit.event_ids == (last + 1,)
        await store.rebuild_pstate()
        assert await store.pstate.fetch("seen") == each.old.event_count + 1
        assert (await events_of(db, each.space_name))[-1].payload == {"n": 1}
    formats = {row["format"] for row in (await dump(db))["events"]}
    assert formats == {"etf", "msgpack"}


async def comparable(db):
    """All rows of spaces that are there, without the moment of making and the count of changes."""
    rows = await dump(db)
    spaces = {row["space_id"] for row in rows["spaces"]}
    for row in rows["spaces"]:
        if row["created_at"] > 1_750_000_000_000_000:  # nothing in the file tells since when it is
            row["created_at"] = None
    for row in rows["space_sequences"]:
        row["state_version"] = None
    return {name: [r for r in each if r.get("space_id") in spaces] for name, each in rows.items()}


@pytest.mark.parametrize(
    "url", ["memory_url", pytest.param("postgres_url", marks=pytest.mark.postgres)], indirect=True
)
@pytest.mark.parametrize(("schema", "fill"), every_form())
async def test_every_form_is_imported_as_the_upgrade_leaves_it(db, tmp_path, schema, fill):
    space_name = "b"
    file = ElixirFile(tmp_path / "elixir.db", *schema)
    fill(file)
    with open_source(file.path, space_name=space_name) as source:
        needed = space_name in {each.space_name for each in source.spaces}
    await import_legacy(db, file.path, space=space_name if needed else None)
    engine = create_async_engine(file.url)
    await migrate.upgrade(engine, space_name=space_name)
    await engine.dispose()
    async with ramax.connect(file.path) as upgraded:
        assert await comparable(db) == await comparable(upgraded)


# --- what is kept --------------------------------------------------------------------------------


async def test_a_database_that_was_never_used_gets_everything_as_it_was(db, old):
    report = await import_legacy(db, old.path)
    assert [(s.old.space_id, s.space_id, s.present) for s in report.spaces] == [
        (2, 2, False),
        (3, 3, False),
    ]
    assert report.event_ids.kept
    assert report.lost_causes == ()
    assert report.source.orphans == {4: 1}
    acme = await db.spaces.get("Acme Inc!")
    assert acme.metadata == {"seats": 25}
    assert acme.created_at == datetime.fromtimestamp(1_700_000_002, UTC)
    assert (await db.spaces.get("b")).metadata == {}
    assert await db.checkpoints.list("Acme Inc!") == {"legacy": 2, "pstate": 5}
    assert await db.checkpoints.list("b") == {"legacy": 5, "pstate": 5}
    events = await events_of(db, "b")
    assert [(e.event_id, e.space_sequence, e.causation_id) for e in events] == [
        (1, 1, None),
        (3, 2, 2),
        (5, 3, 4),
        (7, 4, 6),
        (9, 5, 8),
    ]
    assert [key for key, _ in await values_of(db, "b")] == ["count", "k"]


async def test_ids_that_were_once_used_are_not_used_again(db, old):
    await import_legacy(db, old.path)
    assert await db.events.get_latest_event_id() == 20
    assert (await db.events.append("b", "e", "t", {})).event_id == 21
    assert (await db.spaces.create("new")).space_id == 5


async def test_guards_are_where_the_log_is_and_times_never_fall_from_there_on(db, tmp_path):
    file = ElixirFile(tmp_path / "elixir.db", BEFORE_SPACES)
    late, early = 4_000_000_000_000, 1_000_000_000_000
    file.insert("events", event(1, timestamp=late), event(2, timestamp=early))
    await import_legacy(db, file.path)
    events = await events_of(db, "default")
    assert [e.micros for e in events] == [late * 1000, early * 1000]  # as they were
    (guard,) = (await dump(db))["space_sequences"]
    assert (guard["last_sequence"], guard["state_version"]) == (2, 1)
    assert (await db.events.append("default", "e", "t", {})).micros >= late * 1000


async def test_names_for_what_has_none_and_new_names_for_what_has_one(db, tmp_path, old):
    file = ElixirFile(tmp_path / "plain.db", BEFORE_SPACES)
    file.insert("events", event(1))
    await import_legacy(db, file.path, space="mine")
    report = await import_legacy(db, old.path, rename={"b": "beta"})
    assert [s.space_name for s in report.spaces] == ["Acme Inc!", "beta"]
    names = [s.space_name for s in await db.spaces.list_all()]
    assert names == ["default", "mine", "Acme Inc!", "beta"]


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        (
            {"rename": {"c": "d"}},
            DataError,
            "is not in the old database, which has 'Acme Inc!', 'b'",
        ),
        ({"rename": {"b": "B!"}}, SpaceNameError, "B!"),
        ({"rename": {"b": "c", "Acme Inc!": "c"}}, DataError, "two spaces"),
        ({"rename": {"Acme Inc!": "b"}}, DataError, "two spaces"),
        ({"space": "mine"}, DataError, "names its spaces"),
        ({"pstate": "rebuild"}, MisuseError, "needs a domain"),
        ({"pstate": "drop"}, DataError, "'keep' or 'rebuild'"),
        ({"pstate_table": "none"}, LegacyFormatError, "none"),
    ],
)
async def test_wishes_that_do_not_fit_are_refused(db, old, options, error, words):
    before = await dump(db)
    with pytest.raises(error, match=words):
        await import_legacy(db, old.path, **options)
    assert await dump(db) == before


async def test_events_and_pstate_in_two_files_and_one_that_no_file_is_given(db, tmp_path):
    events = ElixirFile(tmp_path / "events.db", PLAIN_EVENTS)
    events.insert("events", event(1, payload=a_count(3)))
    values = ElixirFile(tmp_path / "pstate.db", PLAIN_PSTATE)
    values.insert("pstate_entities", pstate("count", value=a_count(3)))
    report = await import_legacy(db, str(events.path), str(values.path), verify=counts)
    assert (report.event_count, report.key_count, report.differences) == (1, 1, ())
    with pytest.raises(MisuseError, match="name the file"):
        await import_legacy(db)


async def test_what_follows_the_guides_alter_statements_is_still_to_be_folded(db, tmp_path):
    file = ElixirFile(tmp_path / "elixir.db", BEFORE_SPACES)
    file.insert("events", *(event(n, payload=a_count(1)) for n in (1, 2, 3)))
    file.insert("pstate_entities", pstate("count", value=a_count(3)))
    file.run(ALTERED_BY_HAND)
    file.insert("events", spaced(4, 1, 1), spaced(5, 1, 2))
    report = await import_legacy(db, file.path)
    assert report.spaces[0].old.renumbered
    assert [e.space_sequence for e in await events_of(db, "default")] == [1, 2, 3, 4, 5]
    store = await db.content_store("default", counts, create=False)
    assert await store.pstate.fetch("count") == {"n": 5}


# --- a target that is in use ---------------------------------------------------------------------


@pytest.fixture
async def used(db):
    await db.spaces.create("deleted")
    await db.events.append("deleted", "e", "t", {})
    await db.spaces.delete("deleted", force=True)
    return db


async def test_where_there_ever_was_an_event_ids_are_new_and_causes_follow(used, old):
    report = await import_legacy(used, old.path)
    assert not report.event_ids.kept
    assert dict(report.event_ids) == {n: n + 1 for n in range(1, 11)}
    assert set(report.space_ids.values()) == {2, 3}
    events = [e async for e in used.events.stream_all_events()]
    assert [(e.event_id, e.causation_id) for e in events] == [
        (n + 1, n if n > 1 else None) for n in range(1, 11)
    ]
    (pstate_at,) = [
        row["last_event_id"]
        for row in (await dump(used))["projection_checkpoints"]
        if row["name"] == "pstate" and row["space_id"] == report.space_ids[3]
    ]
    assert pstate_at == report.event_ids.new(9)


async def test_an_existing_cursor_over_all_spaces_sees_every_imported_event(used, old):
    await used.events.append("default", "e", "t", {})
    cursor = await used.events.get_latest_event_id()
    await import_legacy(used, old.path)
    await used.events.append("default", "e", "t", {})
    seen = [e async for e in used.events.stream_all_events(from_event_id=cursor)]
    assert len(seen) == 11
    assert [e.event_id for e in seen] == sorted(e.event_id for e in seen)


async def test_a_cause_that_no_event_has_is_reported_where_ids_are_new(used, old):
    old.run("UPDATE events SET causation_id = 20 WHERE event_id = 4")  # deleted
    old.run("UPDATE events SET causation_id = 9 WHERE event_id = 6")  # a later one
    first = await import_legacy(used, old.path)
    assert first.lost_causes == (LostCause(4, 20),)
    causes = {e.event_id: e.causation_id async for e in used.events.stream_all_events()}
    assert causes[5] is None
    assert causes[7] == 10
    assert (await import_legacy(used, old.path)).lost_causes == first.lost_causes


async def test_a_cause_that_no_event_has_stays_where_ids_are_kept(db, old):
    old.run("UPDATE events SET causation_id = 20 WHERE event_id = 4")
    report = await import_legacy(db, old.path)
    assert report.lost_causes == ()
    assert (await db.events.get_event(4)).causation_id == 20


async def test_a_space_that_was_there_takes_the_space_ids_but_not_the_event_ids(db, old):
    await db.spaces.create("here")
    report = await import_legacy(db, old.path)
    assert report.event_ids.kept
    assert report.space_ids == {2: 2, 3: 3}
    await db.spaces.create("there")
    other = await import_legacy(db, old.path, rename={"b": "c", "Acme Inc!": "d"})
    assert other.space_ids == {2: 5, 3: 6}


@pytest.mark.parametrize(("space_id", "event_id"), [(-5, 2), (0, 2), (7, 0), (7, -3), (7, 2**60)])
async def test_ids_that_no_cursor_reaches_are_given_anew(db, tmp_path, space_id, event_id):
    file = ElixirFile(tmp_path / "elixir.db", WITH_SPACES)
    file.insert("spaces", space(space_id, "a"), space(9, "z"))
    time, later = 1_700_000_000_000, max(event_id, 0) + 5
    file.insert("events", spaced(event_id, space_id, 1, causation_id=None, timestamp=time))
    file.insert("events", spaced(later, 9, 1, causation_id=event_id, timestamp=time))
    report = await import_legacy(db, file.path)
    assert report.space_ids == {space_id: max(space_id, 10) if space_id < 1 else 7, 9: 9}
    assert report.event_ids.kept is (0 < event_id < 2**56)
    first, second = [e async for e in db.events.stream_all_events()]
    assert (second.event_id > first.event_id > 0) and second.causation_id == first.event_id
    assert await db.events.get_latest_event_id() == second.event_id


# --- spaces that are there -----------------------------------------------------------------------


async def test_a_second_run_writes_nothing(db, old):
    first = await import_legacy(db, old.path)
    before = await dump(db)
    again = await import_legacy(db, old.path)
    assert await dump(db) == before
    assert [s.present for s in again.spaces] == [True, True]
    assert (again.event_count, again.event_ids.kept) == (0, True)
    assert again.space_ids == first.space_ids


async def test_a_second_run_knows_the_new_ids_of_the_first(used, old):
    first = await import_legacy(used, old.path)
    again = await import_legacy(used, old.path)
    assert list(again.event_ids) == list(first.event_ids)
    assert again.space_ids == first.space_ids


async def test_a_second_run_does_not_mind_that_life_went_on(db, old):
    await import_legacy(db, old.path)
    store = await db.content_store("b", counts, create=False)
    await store.execute(count, 5)
    await store.rebuild_pstate()
    await db.spaces.update_metadata("b", {"new": True})
    before = await dump(db)
    assert all(s.present for s in (await import_legacy(db, old.path)).spaces)
    assert await dump(db) == before


async def test_only_what_is_missing_is_imported_and_causes_lead_into_what_was_there(db, old):
    await import_legacy(db, old.path)
    await db.spaces.delete("b", force=True)
    report = await import_legacy(db, old.path)
    assert [(s.space_name, s.present) for s in report.spaces] == [("Acme Inc!", True), ("b", False)]
    events = await events_of(db, "b")
    assert [e.causation_id for e in events] == [None, 2, 4, 6, 8]
    assert [e.event_id for e in events] == [21, 22, 23, 24, 25]
    assert dict(report.event_ids) == {
        n: n if n % 2 == 0 else 20 + (n + 1) // 2 for n in range(1, 11)
    }


async def test_an_empty_space_of_the_name_is_filled_and_its_handles_see_it(db, old):
    here = await db.content_store("b", counts)
    with pytest.raises(ramax.KeyNotFoundError):
        await here.pstate.fetch("count")
    report = await import_legacy(db, old.path)
    assert report.space_ids[3] == here.space.space_id
    assert await here.pstate.fetch("count") == {"n": 4}
    assert (await here.execute(count, 2)).space_sequence == 6
    assert await here.pstate.fetch("count") == {"n": 6}
    assert (await db.spaces.get("b")).created_at == datetime.fromtimestamp(1_700_000_003, UTC)


async def conflicts(db, file, **options):
    before = await dump(db)
    with pytest.raises(ImportConflictError) as caught:
        await import_legacy(db, file.path, **options)
    assert await dump(db) == before
    return caught.value


async def test_a_space_with_other_events_is_refused_before_anything_is_written(db, old):
    await db.spaces.create("b")
    await db.events.append("b", "e", "t", {})
    found = await conflicts(db, old)
    assert found.conflicts == {"b": "exists, and its events are others from sequence 1 on"}
    assert isinstance(found, SpaceExistsError)
    assert "rename" in str(found)
    report = await import_legacy(db, old.path, rename={"b": "c"})
    assert [s.space_name for s in report.spaces] == ["Acme Inc!", "c"]


async def test_an_old_space_that_has_grown_since_or_was_changed_is_refused(db, old):
    await import_legacy(db, old.path)
    old.insert("events", spaced(21, 3, 6))
    old.run("UPDATE events SET entity_id = 'x' WHERE event_id = 4")
    found = await conflicts(db, old)
    assert found.conflicts == {
        "Acme Inc!": "exists, and its events are others from sequence 2 on",
        "b": "exists, and its events are others from sequence 6 on",
    }


async def test_an_empty_space_with_other_metadata_is_refused(db, old):
    await db.spaces.create("b", {"plan": "gold"})
    assert "other metadata" in (await conflicts(db, old)).conflicts["b"]


async def test_spaces_without_events_are_known_by_their_time_and_their_pstate(db, tmp_path):
    file = ElixirFile(tmp_path / "elixir.db", WITH_SPACES)
    file.insert("spaces", space(1, "nothing"), space(2, "values"))
    file.insert("pstate_entities", pstate("k", space_id=2))
    await import_legacy(db, file.path)
    before = await dump(db)
    await import_legacy(db, file.path)
    after = await dump(db)
    assert after["pstate_entities"] == before["pstate_entities"]
    await db.events.append("nothing", "e", "t", {})
    await import_legacy(db, file.path)
    file.run("UPDATE spaces SET created_at = 5")
    assert "another time" in (await conflicts(db, file)).conflicts["nothing"]
    file.run("UPDATE spaces SET created_at = 1700000002")
    file.run("UPDATE pstate_entities SET value = 'x'")
    assert "at key 'k'" in (await conflicts(db, file, skip_bad=True)).conflicts["values"]


# --- rows that cannot be taken over --------------------------------------------------------------


@pytest.fixture
def damaged(old):
    old.run(
        "UPDATE events SET payload = CAST(x'8377' AS TEXT) WHERE event_id = 4",
        "UPDATE pstate_entities SET value = CAST(x'83' AS TEXT) WHERE key = 'k' AND space_id = 3",
        "UPDATE spaces SET metadata = '{' WHERE space_id = 2",
    )
    return old


async def test_a_row_that_cannot_be_decoded_is_named_and_stops_everything(db, damaged):
    before = await dump(db)
    with pytest.raises(BadRowsError, match="spaces 2.* and 2 more") as caught:
        await import_legacy(db, damaged.path)
    assert [bad.where for bad in caught.value.bad_rows] == [
        "spaces 2",
        "events 4",
        "pstate_entities 3 k",
    ]
    assert isinstance(caught.value, LegacyFormatError)
    assert await dump(db) == before


async def test_bad_rows_are_left_out_on_request_and_listed(db, damaged):
    report = await import_legacy(db, damaged.path, skip_bad=True)
    assert [bad.row for bad in report.source.bad_rows] == [(2,), (4,), (3, b"k")]
    assert [e.event_id for e in await events_of(db, "Acme Inc!")] == [2, 6, 8, 10]
    assert [key for key, _ in await values_of(db, "b")] == ["count"]
    assert (await db.spaces.get("Acme Inc!")).metadata == {}
    assert report.event_count == 9
    before = await dump(db)
    assert all(s.present for s in (await import_legacy(db, damaged.path, skip_bad=True)).spaces)
    assert await dump(db) == before


# --- verifying and rebuilding --------------------------------------------------------------------


DIFFERENCES = (
    Difference("Acme Inc!", "k", "only in the old pstate"),
    Difference("b", "count", "differs"),
    Difference("b", "k", "only in the old pstate"),
)


async def test_verifying_names_what_a_domain_folds_otherwise_and_keeps_the_old(db, old):
    report = await import_legacy(db, old.path, verify=counts)
    assert report.verified and not report.rebuilt
    assert report.differences == DIFFERENCES
    assert dict(await values_of(db, "b"))["count"] == {"n": 4}
    assert (await import_legacy(db, old.path, verify=counts)).differences == DIFFERENCES


async def test_rebuilding_stores_the_fold_and_whose_it_is(db, old):
    report = await import_legacy(db, old.path, verify=counts, pstate="rebuild")
    assert report.rebuilt
    assert report.differences == DIFFERENCES
    for name in ("b", "Acme Inc!"):
        assert await values_of(db, name) == [("count", {"n": 5})]
        assert await db.checkpoints.get(name) == 5
    store = await db.content_store("b", counts, create=False)
    await store.execute(count, 1)
    assert await store.pstate.fetch("count") == {"n": 6}
    before = await dump(db)
    await store.rebuild_pstate()
    assert (await dump(db))["pstate_entities"] == before["pstate_entities"]
    stranger = Domain("stranger", event_applicator=lambda _state, _event: None)
    other = await db.content_store("b", stranger, create=False)
    with pytest.raises(ramax.DomainMismatchError):
        await other.execute(lambda _state, _params: [])


async def test_an_applicator_that_fails_stops_the_import_and_is_named(db, old):
    broken = Domain("broken")

    @broken.applicator("thing.done")
    def fails(state, event):
        raise ZeroDivisionError

    before = await dump(db)
    with pytest.raises(FoldError, match=r"thing\.done.*event 1 of space 'Acme Inc!'"):
        await import_legacy(db, old.path, verify=broken)
    assert await dump(db) == before


async def test_an_applicator_sees_the_causes_as_they_are_now(used, old):
    seen = []
    watching = Domain("watching", event_applicator=lambda _state, e: seen.append(e.causation_id))
    await import_legacy(used, old.path, verify=watching)
    assert sorted(s for s in seen if s) == list(range(2, 11))


# --- dry runs, files, other things ---------------------------------------------------------------


@pytest.mark.parametrize("used_before", [False, True])
async def test_a_dry_run_tells_everything_and_writes_nothing(db, old, used_before):
    if used_before:
        await db.spaces.create("x")
        await db.events.append("x", "e", "t", {})
    old.run("UPDATE events SET causation_id = 20 WHERE event_id = 4")
    before = await dump(db)
    dry = await import_legacy(db, old.path, dry_run=True, verify=counts)
    assert await dump(db) == before
    done = await import_legacy(db, old.path, verify=counts)
    assert dry.dry_run and not done.dry_run
    for same in ("source", "differences", "lost_causes", "event_count", "key_count"):
        assert getattr(dry, same) == getattr(done, same)
    assert dry.event_ids.kept is done.event_ids.kept is not used_before
    assert dry.space_ids == ({} if used_before else done.space_ids)


async def test_a_dry_run_meets_what_an_import_would(db, damaged):
    with pytest.raises(BadRowsError):
        await import_legacy(db, damaged.path, dry_run=True)
    await db.spaces.create("b")
    await db.events.append("b", "e", "t", {})
    with pytest.raises(ImportConflictError):
        await import_legacy(db, damaged.path, dry_run=True, skip_bad=True)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda path: path.write_bytes(b"PK\x03\x04" * 100), "is not a SQLite database"),
        (lambda path: path.write_bytes(b""), "is empty"),
        (lambda path: path.write_bytes(path.read_bytes()[:5000]), "is cut short"),
        (lambda path: path.unlink(), "does not exist"),
    ],
)
async def test_a_file_that_is_no_old_database_is_named_and_untouched(db, old, make, words):
    make(old.path)
    held = old.path.read_bytes() if old.path.exists() else None
    before = await dump(db)
    with pytest.raises(LegacyFormatError, match=words):
        await import_legacy(db, old.path)
    assert (old.path.read_bytes() if old.path.exists() else None) == held
    assert await dump(db) == before


async def test_a_database_of_ramax_itself_is_not_imported(db, tmp_path):
    async with ramax.connect(tmp_path / "ramax.db"):
        pass
    with pytest.raises(LegacyFormatError, match="is a ramax database already"):
        await import_legacy(db, tmp_path / "ramax.db")


async def test_a_file_that_is_written_to_meanwhile_leaves_nothing_behind(db, old):
    before = await dump(db)
    written: list[None] = []

    def write(_progress):
        if not written:
            written.append(old.event(50, space_id=2, space_sequence=9))

    with pytest.raises(LegacyFormatError, match="was written to while it was read"):
        await import_legacy(db, old.path, progress=write)
    assert await dump(db) == before


async def test_the_file_and_what_is_beside_it_stay_as_they_are(db, old):
    before, beside = sum_of(old.path), sorted(p.name for p in old.path.parent.iterdir())
    await import_legacy(db, old.path)
    assert sum_of(old.path) == before
    assert sorted(p.name for p in old.path.parent.iterdir()) == beside or "ramax.db" in {
        p.name for p in old.path.parent.iterdir()
    }


async def test_progress_counts_every_row(db, old):
    heard: list[Progress] = []
    await import_legacy(db, old.path, progress=heard.append)
    assert [p.done for p in heard] == sorted(p.done for p in heard)
    assert (heard[-1].done, heard[-1].total) == (14, 14)
    again: list[Progress] = []
    await import_legacy(db, old.path, progress=again.append)
    assert {(p.done, p.total) for p in again} <= {(0, 0)}
    rebuilt: list[Progress] = []
    await import_legacy(
        db,
        old.path,
        rename={"b": "c", "Acme Inc!": "d"},
        verify=counts,
        pstate="rebuild",
        progress=rebuilt.append,
    )
    assert (rebuilt[-1].done, rebuilt[-1].total) == (14, 14)


async def test_an_import_that_is_cancelled_leaves_nothing_and_can_be_run_again(db, old):
    before = await dump(db)
    reached = asyncio.Event()

    async def run():
        await import_legacy(db, old.path, progress=lambda _: reached.set())

    task = asyncio.create_task(run())
    await reached.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await dump(db) == before
    assert (await import_legacy(db, old.path)).event_ids.kept


async def test_other_writes_of_the_process_wait_or_go_on_and_all_of_it_is_there(used, old):
    await used.spaces.create("busy")
    store = await used.content_store("busy", counts)
    writes = [store.execute(count, 1) for _ in range(20)]
    _, report = await asyncio.gather(asyncio.gather(*writes), import_legacy(used, old.path))
    assert report.event_count == 10
    events = [e async for e in used.events.stream_all_events(from_event_id=1)]
    assert len(events) == 30
    assert await store.pstate.fetch("count") == {"n": 20}


async def test_two_imports_at_once_are_one(db, old):
    reports = await asyncio.gather(*(import_legacy(db, old.path) for _ in range(3)))
    assert sorted(r.event_count for r in reports) == [0, 0, 10]
    assert len([e async for e in db.events.stream_all_events()]) == 10


async def test_a_transaction_of_the_same_task_is_refused(db, old):
    async with db.transaction("default"):
        with pytest.raises(NestedTransactionError):
            await import_legacy(db, old.path)


async def test_who_meets_an_import_is_told_what_it_is(db, old):
    def ask(_progress):
        db._core.check_caller()

    with pytest.raises(NestedTransactionError, match=r"importing .*elixir\.db"):
        await import_legacy(db, old.path, progress=ask)


async def test_a_target_that_cannot_be_written_says_so(durable_url, old):
    async with ramax.connect(durable_url):
        pass
    async with ramax.connect(durable_url, read_only=True) as db:
        with pytest.raises(StorageError, match="read-only"):
            await import_legacy(db, old.path)
        report = await import_legacy(db, old.path, dry_run=True)
    assert report.event_count == 10


async def test_values_of_the_json_age_keep_their_format(db, tmp_path):
    file = ElixirFile(tmp_path / "elixir.db", BEFORE_SPACES)
    file.insert("events", event(1))
    file.insert("pstate_entities", pstate("j", value='{"ref": {"key": "card:c1"}}'))
    await import_legacy(db, file.path)
    assert dict(await values_of(db, "default")) == {"j": {"ref": ramax.Ref("card:c1")}}
    assert (await dump(db))["pstate_entities"][0]["format"] == "json"


async def test_metadata_that_today_has_no_room_is_a_bad_row(db, tmp_path):
    file = ElixirFile(tmp_path / "elixir.db", WITH_SPACES)
    file.insert("spaces", space(1, "a", "{" + '"k":"' + "x" * (17 * 2**20) + '"}'))
    with pytest.raises((BadRowsError, CodecError)):
        await import_legacy(db, file.path)


@pytest.mark.postgres
@pytest.mark.parametrize("used_before", [False, True])
async def test_tables_in_a_schema_of_their_own_are_found(empty_postgres_url, old, used_before):
    async with ramax.connect(empty_postgres_url) as elsewhere:
        async with elsewhere.engine.begin() as connection:
            await connection.execute(sa.text("CREATE SCHEMA apart"))
        async with ramax.connect(empty_postgres_url, schema="apart") as db:
            if used_before:
                await db.events.append("default", "e", "t", {})
            report = await import_legacy(db, old.path)
            assert report.event_ids.kept is not used_before
            assert (await db.events.append("b", "e", "t", {})).event_id == (
                12 if used_before else 21
            )
            assert (await db.spaces.create("new")).space_id == (4 if used_before else 5)
        assert await elsewhere.events.get_latest_event_id() == 0


async def test_an_empty_space_with_a_hash_chain_is_hashed_as_it_is_filled(db, old):
    await db.spaces.create("b")
    await db.spaces.enable_hash_chain("b")
    await import_legacy(db, old.path)
    here = await db.content_store(
        "b"
    )  # without a domain: what the old pstate is worth is not asked
    report = await here.verify()
    assert (report.findings, report.chained) == ((), report.last_sequence)
    assert report.last_sequence > 0
    await here.events.append("e", "t", {})
    report = await here.verify()
    assert (report.findings, report.chained) == ((), report.last_sequence)
