"""Imports that are killed, and imports in processes of their own beside other work."""

import random
import signal
from typing import Any

import pytest

import ramax
from ramax.legacy import import_legacy
from tests._racers import go, line, race, spawn
from tests._tables import dump
from tests.legacy.forms import space
from tests.legacy.old_files import a_count, counts, spaced
from tests.migrations.elixir import WITH_SPACES, ElixirFile, pstate

EVENTS, KEYS, PAGE = 2_000, 300, 100
PAGES = EVENTS // PAGE

IMPORT = f"""
    import asyncio, sys
    import ramax
    from ramax.legacy import import_legacy, pages, writing
    pages.PAGE = writing.PAGE = {PAGE}
    counts = ramax.Domain("counts")
    @counts.applicator("thing.done")
    def counted(state, event):
        state["count"] = {{"n": state.get("count", {{"n": 0}})["n"] + event.payload["n"]}}
    options = {{"verify": counts, "pstate": "rebuild"}} if sys.argv[3] == "rebuild" else {{}}
    def tell(progress):
        print("page", flush=True)
        if sys.argv[3] == "stop" and progress.done == {PAGE}:
            input()
    async def main():
        async with ramax.connect(sys.argv[1]) as db:
            START
            report = await import_legacy(db, sys.argv[2], progress=tell, **options)
            print(report.event_count)
    asyncio.run(main())
"""


@pytest.fixture(scope="module")
def old(tmp_path_factory):
    file = ElixirFile(tmp_path_factory.mktemp("old") / "elixir.db", WITH_SPACES)
    file.insert("spaces", *(space(i, f"Space {i}") for i in (1, 2, 5)))
    ids = dict.fromkeys((1, 2, 5), 0)
    rows = []
    for event_id in range(3, EVENTS + 3):
        i = random.Random(event_id).choice([1, 2, 5])
        ids[i] += 1
        rows.append(spaced(event_id, i, ids[i], payload=a_count(event_id)))
    file.insert("events", *rows)
    file.insert("pstate_entities", *(pstate(f"k:{n}", space_id=1 + n % 2) for n in range(KEYS)))
    return file


async def begin(url, *, used):
    async with ramax.connect(url) as db:
        if used:
            await db.spaces.create("before")
            await db.events.append("before", "e", "t", {})


# What an import fills; the tables of features that an old database never had stay empty.
FILLED = {
    "events",
    "projection_checkpoints",
    "pstate_entities",
    "space_sequences",
    "spaces",
}


async def content(db):
    """Everything that was imported, without ids that others took part in choosing."""
    rows = await dump(db)
    names = {row["space_id"]: row["space_name"] for row in rows["spaces"]}
    at = {r["event_id"]: (names[r["space_id"]], r["space_sequence"]) for r in rows["events"]}
    for table in rows.values():
        for row in table:
            if "space_id" in row:  # a branch has none
                row["space_id"] = names[row["space_id"]]
            for column in ("event_id", "last_event_id", "causation_id"):
                if row.get(column) is not None:
                    row[column] = at.get(row[column])
    for name, table in rows.items():
        table[:] = sorted((r for r in table if r.get("space_id") != "before"), key=repr)
        assert table or name not in FILLED
    return rows


def kill(url, path, mode, pages):
    """Import in a process of its own, which is killed after it has written so many pages.

    Returns whether that was in time: on a busy machine it may have ended before.
    """
    process = spawn(IMPORT, url, str(path), mode)
    try:
        assert line(process) == "ready", process.communicate()[1]
        go(process)
        for _ in range(pages):
            if line(process) != "page":
                break  # an earlier one had ended before
    finally:
        process.kill()
        _, errors = process.communicate()
    assert process.returncode in {0, -signal.SIGKILL}, errors
    return process.returncode == -signal.SIGKILL


@pytest.mark.timeout(900)
@pytest.mark.parametrize("kills", [3, pytest.param(40, marks=pytest.mark.nightly)])
@pytest.mark.parametrize("mode", ["fresh", "used", "rebuild"])
async def test_killed_again_and_again_and_run_once_more_the_end_is_the_same(
    durable_url, old, mode, kills
):
    chance = random.Random(f"{mode}{kills}")
    options: dict[str, Any] = {"verify": counts, "pstate": "rebuild"} if mode == "rebuild" else {}
    await begin(durable_url, used=mode == "used")
    async with ramax.connect() as whole, ramax.connect(durable_url) as db:
        await import_legacy(whole, old.path, **options)
        before = await dump(db)
        expected = await content(whole)
        in_time = 0
        for _ in range(kills):
            in_time += kill(durable_url, old.path, mode, chance.randint(0, PAGES))
            # the last of them may have come after the commit
            assert await dump(db) == before or await content(db) == expected
        assert in_time
        report = await import_legacy(db, old.path, **options)
        assert report.event_count in {0, EVENTS}
        assert report.event_ids.kept is (mode != "used")
        assert await content(db) == expected
        if mode != "used":
            assert await dump(db) == await dump(whole)
            first, other = [await d.events.append("Space 1", "e", "t", {}) for d in (db, whole)]
            assert first.event_id == other.event_id
            made, wanted = [await d.spaces.create("new") for d in (db, whole)]
            assert made.space_id == wanted.space_id
        assert (await import_legacy(db, old.path, **options)).event_count == 0


async def test_killed_right_after_the_commit_a_second_run_finds_everything(durable_url, old):
    process = spawn(IMPORT, durable_url, str(old.path), "fresh")
    try:
        assert line(process) == "ready", process.communicate()[1]
        go(process)
        while line(process) != str(EVENTS):
            pass
    finally:
        process.kill()
        process.communicate()
    async with ramax.connect(durable_url) as db:
        before = await dump(db)
        report = await import_legacy(db, old.path)
        assert (report.event_count, report.event_ids.kept) == (0, True)
        assert await dump(db) == before


async def test_four_processes_at_once_import_it_once(durable_url, old):
    await begin(durable_url, used=False)
    said = race(IMPORT, durable_url, str(old.path), "fresh", racers=4, timeout=100)
    assert sorted(int(each.split()[-1]) for each in said) == [0, 0, 0, EVENTS]
    async with ramax.connect(durable_url) as db, ramax.connect() as whole:
        await import_legacy(whole, old.path)
        assert await dump(db) == await dump(whole)


@pytest.mark.postgres
async def test_beside_an_import_others_append_and_no_feed_goes_past_it(postgres_url, old):
    await begin(postgres_url, used=True)
    process = spawn(IMPORT, postgres_url, str(old.path), "stop")
    try:
        assert line(process) == "ready", process.communicate()[1]
        go(process)
        assert line(process) == "page"  # it waits now, in the middle of its transaction
        async with ramax.connect(postgres_url) as db:
            later = await db.events.append("before", "e", "t", {})
            assert later.event_id > EVENTS + 1
            seen = [e.event_id async for e in db.events.stream_all_events()]
            assert seen == [1]
            go(process)
            _, errors = process.communicate(timeout=60)
            assert process.returncode == 0, errors
            seen += [e.event_id async for e in db.events.stream_all_events(from_event_id=seen[-1])]
            assert seen == list(range(1, EVENTS + 3))
    finally:
        process.kill()
        process.communicate()
