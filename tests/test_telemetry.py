"""With the real SDK: what reaches its exporters."""

import asyncio
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

import ramax
from ramax import Rejected
from ramax.telemetry import OpenTelemetry, instrument
from tests._cards import cards, old_cards
from tests._cards import put as put_card
from tests._domains import add, counter, documents, put, refuse

SECRET = "sesame-4711"


class Collected:
    """The exporters of a test, and what is in them."""

    def __init__(self) -> None:
        self.exporter, self.reader = InMemorySpanExporter(), InMemoryMetricReader()
        self.latest: dict[str, list[Any]] = {}
        self.tracers = TracerProvider()
        self.tracers.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.meters = MeterProvider([self.reader])
        self.providers: dict[str, Any] = {
            "tracer_provider": self.tracers,
            "meter_provider": self.meters,
        }

    def spans(self, operation: str) -> list[Any]:
        return [
            span
            for span in self.exporter.get_finished_spans()
            if (span.attributes or {})["db.operation.name"] == operation
        ]

    def points(self, name: str) -> list[Any]:
        """The points of a metric as they were last said; collecting them takes them away."""
        data = self.reader.get_metrics_data()
        for resource in data.resource_metrics if data else ():
            for scope in resource.scope_metrics:
                for metric in scope.metrics:
                    self.latest[metric.name] = list(metric.data.data_points)
        return self.latest.pop(name, [])


@pytest.fixture
def collected():
    made = Collected()
    yield made
    made.tracers.shutdown()
    made.meters.shutdown()


async def test_operations_are_spans_and_durations_by_the_rules_of_databases(db, collected):
    instrument(db, **collected.providers)
    store = await db.content_store("s", counter())
    await store.execute(add)
    with pytest.raises(Rejected):
        await store.execute(refuse)
    await store.pstate.get("n")
    system = {"sqlite": "sqlite", "postgresql": "postgresql"}[db.engine.dialect.name]
    good, bad = collected.spans("execute")
    assert good.kind is bad.kind is SpanKind.CLIENT
    assert dict(good.attributes) == {
        "db.system.name": system,
        "db.operation.name": "execute",
        "ramax.space": "s",
        "ramax.events": 1,
    }
    assert bad.attributes["error.type"] == "Rejected"
    assert (good.status.status_code, bad.status.status_code) == (StatusCode.UNSET, StatusCode.ERROR)
    durations = {
        (p.attributes["db.operation.name"], p.attributes.get("error.type")): p.count
        for p in collected.points("db.client.operation.duration")
    }
    assert durations["execute", None] == durations["execute", "Rejected"] == 1
    assert all("ramax.space" not in p.attributes for p in collected.points("ramax.events"))


async def test_a_span_stands_below_that_of_its_caller(db, collected):
    instrument(db, **collected.providers)
    store = await db.content_store("s", counter())
    tracer = collected.tracers.get_tracer("the application")
    with tracer.start_as_current_span("request", attributes={"db.operation.name": "request"}):
        await asyncio.gather(store.execute(add), store.execute(add))
    assert not trace.get_current_span().get_span_context().is_valid
    [request] = collected.spans("request")
    for span in collected.spans("execute"):
        assert span.parent.span_id == request.context.span_id


async def test_a_batch_is_a_span_of_its_own_with_its_size_and_its_phases(db, collected):
    instrument(db, **collected.providers)
    store = await db.content_store("s", counter())
    await asyncio.gather(*(store.execute(add) for _ in range(10)))
    commits = collected.spans("commit")
    assert sum(s.attributes["db.operation.batch.size"] for s in commits) == 10
    assert sum(s.attributes["ramax.events"] for s in commits) == 10
    assert all(s.parent is None and s.end_time > s.start_time for s in commits)
    phases = {
        p.attributes["ramax.phase"]: p.count for p in collected.points("ramax.batch.duration")
    }
    assert phases == {"decide": len(commits), "write": len(commits)}
    [commands] = collected.points("ramax.batch.commands")
    assert (commands.sum, commands.count) == (10, len(commits))
    [events] = collected.points("ramax.events")
    assert events.value == 10
    results = {
        p.attributes["ramax.result"]: p.value for p in collected.points("ramax.cache.lookups")
    }
    assert results["miss"] == 1
    assert results.get("hit", 0) == len(commits) - 1


async def test_rebuild_progress_queues_and_lag_are_gauges(db, collected):
    observer = OpenTelemetry(**collected.providers)
    db.observe(observer)
    store = await db.content_store("s", counter())
    await store.execute_many([(add, None)] * 5)
    await store.rebuild_pstate()
    await store.execute(add)
    for name in ("ramax.rebuild.done", "ramax.rebuild.total"):
        [point] = collected.points(name)
        assert (point.value, point.attributes["ramax.space"]) == (5, "s")
    for name in ("ramax.writer.queue", "ramax.write_back.queue"):
        [point] = collected.points(name)
        assert point.value == 0
    [cache] = collected.points("ramax.cache.size")
    assert cache.value > 0
    observer.lag("mailer", "s", 7)
    [lag] = collected.points("ramax.subscription.lag")
    assert (lag.value, lag.attributes["ramax.subscription"]) == (7, "mailer")


async def test_a_closed_database_is_asked_no_more(url, collected):
    async with ramax.connect(url) as db:
        instrument(db, **collected.providers)
        assert len(collected.points("ramax.writer.queue")) == 1
    collected.latest.clear()
    assert collected.points("ramax.writer.queue") == []


async def test_migrations_and_their_flushes_are_counted(durable_url, collected):
    async with ramax.connect(durable_url, write_back_interval=3600) as db:
        old = await db.content_store("s", old_cards())
        await old.execute(put_card, ("card:1", {"front": "a", "level": 1}))
    async with ramax.connect(durable_url, write_back_interval=3600) as db:
        instrument(db, **collected.providers)
        store = await db.content_store("s", cards("off"))
        await store.pstate.get("card:1")
        assert store.pstate.migration_stats().waiting == 1
        await store.pstate.flush_migrations()
        assert sum(p.value for p in collected.points("ramax.migrated")) == 1
        [written] = collected.points("ramax.write_back.values")
        assert (written.value, written.attributes["ramax.result"]) == (1, "written")
        assert collected.points("ramax.write_back.duration")[0].count == 1


async def test_no_payload_key_or_value_is_said_and_no_space_where_none_shall_be(url, collected):
    async with ramax.connect(url) as db:
        instrument(db, spaces=False, **collected.providers)
        store = await db.content_store("tenant-9", documents())
        await store.execute(put, (f"doc:{SECRET}", {SECRET: SECRET}))
        await store.pstate.get(f"doc:{SECRET}")
        await store.rebuild_pstate()
        await store.verify()
        said = repr([span.to_json() for span in collected.exporter.get_finished_spans()])
        said += repr(collected.reader.get_metrics_data())
    assert "execute" in said
    assert SECRET not in said
    assert "tenant-9" not in said
