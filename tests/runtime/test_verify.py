import asyncio
from pathlib import Path
from shutil import copy
from typing import Any

import pytest

import ramax
from ramax.errors import DomainMismatchError, SpaceNotFoundError
from ramax.runtime.findings import MAX_FINDINGS, Finding, SpaceReport
from ramax.runtime.verify import NO_DOMAIN
from tests._domains import add, counter, delete, documents, put
from tests.runtime._damage import damage

LEGACY = Path(__file__).parents[1] / "data" / "legacy"


async def reports(db: ramax.Database, *arguments: Any) -> dict[str, SpaceReport]:
    return {each.space.space_name: each async for each in db.verify(*arguments)}


async def test_every_space_is_verified_on_its_own(db):
    a, b = await db.content_store("a", counter()), await db.content_store("b", counter())
    await a.execute(add)
    await b.execute(add)
    await b.execute(add)
    await damage(db, "UPDATE pstate_entities SET key = 'm' WHERE space_id = 2")
    found = await reports(db, None, counter())
    assert list(found) == ["a", "b"]
    assert (found["a"].ok, found["a"].compared, found["a"].event_count) == (True, 1, 1)
    assert not found["b"].ok
    assert found["b"].findings == (
        Finding("pstate", "key 'm' is there, but no event makes it"),
        Finding("pstate", "key 'n' is missing: events make it"),
    )
    assert list(await reports(db, "a")) == ["a"]


async def test_without_a_domain_the_pstate_is_not_compared(db):
    store = await db.content_store("a", counter())
    await store.execute(add)
    await damage(db, "UPDATE pstate_entities SET key = 'm'")
    report = (await reports(db, store.space))["a"]
    assert report.ok
    assert (report.compared, report.not_compared) == (None, NO_DOMAIN)


async def test_spaces_of_other_domains_are_left_uncompared_unless_asked_for(db):
    await (await db.content_store("a", counter())).execute(add)
    await (await db.content_store("b", documents())).execute(put, ("d", {"v": 1}))
    found = await reports(db, None, counter())
    assert found["a"].compared == 1
    assert (found["b"].ok, found["b"].compared) == (True, None)
    assert "'documents'" in (found["b"].not_compared or "")
    with pytest.raises(DomainMismatchError):
        await reports(db, "b", counter())


async def test_a_fold_that_fails_is_a_finding(db):
    store = await db.content_store("a", documents())
    await store.execute(put, ("d1", {"v": 1}))
    await store.execute(delete, "d1")
    await damage(db, "UPDATE events SET entity_id = 'd9' WHERE space_sequence = 2")
    report = (await reports(db, "a", documents()))["a"]
    [finding] = report.findings
    assert finding.check == "pstate"
    assert "the events cannot be folded: the applicator for 'doc.deleted' failed" in finding.message
    assert report.compared is None


async def test_findings_beyond_the_bound_are_counted(db):
    store = await db.content_store("a", documents())
    await store.execute_many([(put, (f"d{n:03}", {})) for n in range(MAX_FINDINGS + 20)])
    await damage(db, "DELETE FROM pstate_entities")
    report = (await reports(db, "a", documents()))["a"]
    assert (len(report.findings), report.finding_count) == (MAX_FINDINGS, MAX_FINDINGS + 20)


async def test_an_unused_default_space_is_sound(db):
    report = (await reports(db, "default", counter()))["default"]
    assert (report.ok, report.event_count, report.checkpoint) == (True, 0, 0)
    assert await reports(db) == {}


async def test_an_unknown_space_is_an_error(db):
    with pytest.raises(SpaceNotFoundError):
        await reports(db, "nobody")


async def test_a_space_that_is_deleted_meanwhile_is_passed_over(db):
    for name in ("a", "b", "c"):
        await (await db.content_store(name, counter())).execute(add)
    seen = []
    async for report in db.verify():
        seen.append(report.space.space_name)
        if report.space.space_name == "a":
            await db.spaces.delete("b", force=True)
    assert seen == ["a", "c"]


async def test_progress_goes_over_the_events_and_over_the_fold(url):
    async with ramax.connect(url) as db:
        store = await db.content_store("a", counter())
        await store.execute_many([(add, None)] * 4500)
        seen: list[tuple[int, int]] = []
        await anext(db.verify("a", counter(), lambda _, p: seen.append((p.done, p.total))))
    assert seen == [(2000, 9000), (4000, 9000), (6500, 9000), (8500, 9000)]


async def test_it_runs_beside_writes(durable_url):
    async with ramax.connect(durable_url) as db, ramax.connect(durable_url) as writer:
        store = await writer.content_store("a", documents())
        await store.execute_many([(put, (f"d{n:04}", {"v": n})) for n in range(3000)])
        stop = asyncio.Event()

        async def write() -> int:
            count = 0
            while not stop.is_set():
                await store.execute(put, (f"d{count % 3000:04}", {"v": -count}))
                await store.execute(delete, f"d{count % 3000:04}")
                await store.execute(put, (f"d{count % 3000:04}", {"w": count}))
                count += 1
            return count

        writing = asyncio.create_task(write())
        for _ in range(3):
            report = (await reports(db, "a", documents()))["a"]
            assert (report.findings, report.compared in {2999, 3000}) == ((), True)
        stop.set()
        assert await writing > 0


async def test_a_verification_that_is_given_up_leaves_the_database_usable(durable_db):
    store = await durable_db.content_store("a", counter())
    await store.execute_many([(add, None)] * 3000)
    reached = asyncio.Event()

    def progress(_space: ramax.Space, progress: ramax.Progress) -> None:
        if progress.done > 3000:  # in the fold
            reached.set()

    async def run() -> None:
        await reports(durable_db, "a", counter(), progress)

    running = asyncio.create_task(run())
    await reached.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert (await reports(durable_db, "a", counter()))["a"].ok


@pytest.mark.parametrize("name", ["sample_legacy.db", "sample_spaces.db"])
async def test_an_upgraded_database_is_sound(tmp_path, name):
    copy(LEGACY / name, tmp_path / name)
    async with ramax.connect(tmp_path / name, upgrade=True) as db:
        found = await reports(db)
    assert sum(report.event_count for report in found.values()) in {33, 20}
    assert [report.findings for report in found.values() if not report.ok] == []
