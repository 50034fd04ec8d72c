import asyncio
import logging
from collections.abc import Mapping
from typing import Any

import pytest

import ramax
from ramax import DataError, MisuseError, NewEvent, Observer, Rejected
from ramax.values import Progress
from tests._domains import add, counter, documents, put, refuse


class Notes(Observer):
    """Writes down what it hears."""

    def __init__(self) -> None:
        self.heard: list[tuple[Any, ...]] = []
        self.gauges: Mapping[str, Any] = {}
        self.open: list[str] = []

    def opened(self, system: str, gauges: Mapping[str, Any]) -> None:
        self.gauges = gauges
        self.heard.append(("opened", system))

    def closed(self) -> None:
        self.heard.append(("closed",))

    def begin(self, operation: str, space_name: str) -> Any:
        self.open.append(operation)
        return operation, space_name

    def end(self, begun: Any, facts: Mapping[str, int], error: BaseException | None) -> None:
        self.open.remove(begun[0])
        self.heard.append((*begun, dict(facts), type(error).__name__))

    def batch(self, report: ramax.BatchReport) -> None:
        self.heard.append(("batch", report))

    def lookups(self, hits: int, misses: int) -> None:
        self.heard.append(("lookups", hits, misses))

    def progress(self, operation: str, space_name: str, progress: Progress) -> None:
        self.heard.append(("progress", operation, space_name, progress.done, progress.total))

    def lag(self, subscription: str, space_name: str, events: int) -> None:
        self.heard.append(("lag", subscription, space_name, events))

    def of(self, name: str) -> list[tuple[Any, ...]]:
        found = [each for each in self.heard if each[0] == name]
        self.heard = [each for each in self.heard if each[0] != name]
        return found


@pytest.fixture
def notes() -> Notes:
    return Notes()


async def test_commands_and_appends_are_heard_with_their_events(db, notes):
    db.observe(notes)
    store = await db.content_store("s", counter())
    await store.execute(add)
    await store.execute_many([(add, None)] * 3)
    await store.events.append_many([NewEvent("noted", {}, entity_id="e")] * 2)
    with pytest.raises(Rejected):
        await store.execute(refuse)
    assert notes.of("execute")[:2] == [
        ("execute", "s", {"events": 1}, "NoneType"),
        ("execute", "s", {"events": 3}, "NoneType"),
    ]
    assert notes.of("append") == [("append", "s", {"events": 2}, "NoneType")]
    assert notes.open == []


async def test_the_steps_of_a_transaction_are_heard(db, notes):
    store = await db.content_store("s", counter())
    db.observe(notes)
    async with store.transaction() as tx:
        await tx.execute(add)
        await tx.append("e", "noted", {})
        with pytest.raises(Rejected):
            await tx.execute(refuse)
    assert notes.of("execute") == [
        ("execute", "s", {"events": 1}, "NoneType"),
        ("execute", "s", {}, "Rejected"),
    ]
    assert notes.of("append") == [("append", "s", {"events": 1}, "NoneType")]


async def test_a_migration_is_heard(db, notes):
    store = await db.content_store("s", documents())
    await store.execute(put, ("d", {}))
    db.observe(notes)
    await store.migrate_pstate(dry_run=True)
    assert notes.of("migrate") == [("migrate", "s", {"keys": 1}, "NoneType")]


async def test_a_failure_is_heard_once_by_its_kind(db, notes):
    store = await db.content_store("s", counter())
    db.observe(notes)
    with pytest.raises(Rejected):
        await store.execute(refuse)
    assert notes.of("execute") == [("execute", "s", {}, "Rejected")]


async def test_a_command_that_has_to_catch_up_first_is_no_failure(db, notes):
    store = await db.content_store("s", counter())
    await store.events.append_many([NewEvent("added", {"by": 1}, entity_id="n")] * 3)
    db.observe(notes)
    await store.execute(add)
    assert notes.of("catch_up") == [("catch_up", "s", {"events": 3}, "NoneType")]
    kinds = {each[3] for each in notes.of("execute")}
    assert kinds == {"NoneType"}


async def test_a_batch_is_heard_with_its_size_its_times_and_what_came_from_memory(db, notes):
    store = await db.content_store("s", counter())
    await store.execute(add)
    db.observe(notes)
    await asyncio.gather(*(store.execute(add) for _ in range(20)))
    reports = [each[1] for each in notes.of("batch")]
    assert sum(report.commands for report in reports) == 20
    assert sum(report.events for report in reports) == 20
    assert all(report.decide_seconds > 0 and report.write_seconds > 0 for report in reports)
    assert sum(report.hits for report in reports) == len(reports)  # `n`, once for each batch
    assert sum(report.misses for report in reports) == 0
    assert {report.spaces for report in reports} == {1}


async def test_reads_are_heard_as_fetches_or_as_hits(url, notes):
    async with ramax.connect(url, cache="exclusive") as db:
        store = await db.content_store("s", documents())
        await store.execute(put, ("d", {}))
        db.observe(notes)
        await store.pstate.get("d")
        await store.pstate.get_many(["d", "e"])
        await store.pstate.get_many(["d", "e"])
    assert notes.of("lookups") == [("lookups", 1, 0), ("lookups", 0, 2), ("lookups", 2, 0)]
    assert notes.of("fetch") == [("fetch", "s", {"keys": 2}, "NoneType")]


async def test_rebuilds_and_verifications_are_heard(db, notes):
    store = await db.content_store("s", counter())
    await store.execute_many([(add, None)] * 5)
    seen: list[Progress] = []
    db.observe(notes)
    await store.rebuild_pstate(progress=seen.append)
    assert notes.of("rebuild") == [("rebuild", "s", {"events": 5}, "NoneType")]
    assert notes.of("progress") == [("progress", "rebuild", "s", 5, 5)]
    assert [each.done for each in seen] == [5]
    await store.verify()
    assert notes.of("verify") == [("verify", "s", {"events": 5}, "NoneType")]


async def test_gauges_can_be_asked_and_the_end_is_heard(url, notes):
    async with ramax.connect(url, observer=notes) as db:
        store = await db.content_store("s", documents())
        await store.execute(put, ("d", {"v": "x" * 100}))
        assert set(notes.gauges) == {"writer_queue", "write_back_queue", "cache_bytes"}
        assert (notes.gauges["writer_queue"](), notes.gauges["write_back_queue"]()) == (0, 0)
        assert notes.gauges["cache_bytes"]() > 100
        waiting = [asyncio.create_task(store.execute(put, (f"d{n}", {}))) for n in range(9)]
        await asyncio.sleep(0)
        assert notes.gauges["writer_queue"]() > 0
        await asyncio.gather(*waiting)
    assert notes.of("closed") == [("closed",)]


async def test_one_observes_at_a_time_and_none_when_told_so(db, notes):
    other = Notes()
    db.observe(other)
    db.observe(notes)
    assert other.of("closed") == [("closed",)]
    db.observe(None)
    store = await db.content_store("s", counter())
    await store.execute(add)
    assert [each[0] for each in notes.heard] == ["opened", "closed"]


async def test_an_observer_that_fails_is_logged_and_harms_nothing(db, caplog):
    class Broken(Observer):
        def begin(self, *_: Any) -> Any:
            raise ValueError("begin")

        def end(self, *_: Any) -> None:
            raise ValueError("end")

        def batch(self, *_: Any) -> None:
            raise ValueError("batch")

    db.observe(Broken())
    store = await db.content_store("s", counter())
    with caplog.at_level(logging.ERROR, "ramax.observer"):
        assert (await store.execute(add)).space_sequence == 1
        assert await store.pstate.get("n") == 1
    told = {record.exc_info[1].args[0] for record in caplog.records}
    assert told == {"begin", "end", "batch"}


async def test_what_is_no_observer_is_refused(db):
    wrong: Any = print
    with pytest.raises(MisuseError, match="Observer"):
        db.observe(wrong)
    with pytest.raises(DataError, match="observer"):
        ramax.connect(observer=wrong)


async def test_how_far_a_subscription_is_behind_is_heard(db, notes):
    store = await db.content_store("s", counter())
    for _ in range(3):
        await store.execute(add)
    await store.events.append("e", "unwanted", {})
    db.observe(notes)
    async with store.subscribe("mailer", types=["added"], follow=False) as s:
        async for event in s:
            await s.ack(event)
    assert notes.of("lag") == [("lag", "mailer", "s", 4), ("lag", "mailer", "s", 0)]
    async with db.subscribe_all("all", follow=False, buffer=3) as all_of_them:
        events = [event async for event in all_of_them]
        assert [each[1:3] for each in notes.of("lag")] == [("all", "")] * 3
        await all_of_them.ack(events[-1])
        assert await all_of_them.next_event() is None
    assert notes.of("lag") == [("lag", "all", "", 0)]
