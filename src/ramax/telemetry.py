"""OpenTelemetry for a database: spans and metrics of what it does, by the names of their rules.

Needs the extra ``ramax[otel]``. Never in what it says: payloads, values, keys, entity ids.
"""

import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from opentelemetry import context, metrics, trace
from opentelemetry.metrics import CallbackOptions, MeterProvider, Observation
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, TracerProvider

from ramax.core.observer import BatchReport, Observer
from ramax.runtime.database import Database
from ramax.values import Progress

_NAME = "ramax"
_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 10.0)
_COUNTS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)

_GAUGES = {
    "writer_queue": ("ramax.writer.queue", "{command}", "Commands that wait for their batch."),
    "write_back_queue": ("ramax.write_back.queue", "{key}", "Keys that wait to be written back."),
    "cache_bytes": ("ramax.cache.size", "By", "Packed state in memory."),
}


def instrument(
    db: Database,
    *,
    spaces: bool = True,
    tracer_provider: TracerProvider | None = None,
    meter_provider: MeterProvider | None = None,
) -> None:
    """Send what a database does to OpenTelemetry, until it is closed.

    Args:
        spaces: Name the space in spans and in the metrics that are of one space. Off where the
            names of tenants are nobody's business.
        tracer_provider: Instead of the global one; likewise ``meter_provider``.
    """
    db.observe(
        OpenTelemetry(spaces=spaces, tracer_provider=tracer_provider, meter_provider=meter_provider)
    )


class _Begun(NamedTuple):
    operation: str
    span: Span
    token: Any
    started: float


class OpenTelemetry(Observer):
    """An observer for ``connect(observer=…)``; one for each database. See `instrument`."""

    def __init__(
        self,
        *,
        spaces: bool = True,
        tracer_provider: TracerProvider | None = None,
        meter_provider: MeterProvider | None = None,
    ) -> None:
        self._spaces = spaces
        self._tracer = trace.get_tracer(_NAME, tracer_provider=tracer_provider)
        self._meter = metrics.get_meter(_NAME, meter_provider=meter_provider)
        self._system: dict[str, str] = {}
        self._gauges: dict[str, Callable[[], int]] = {}
        self._make_instruments()

    def _make_instruments(self) -> None:
        meter = self._meter
        seconds = {"unit": "s", "explicit_bucket_boundaries_advisory": _SECONDS}
        counts: dict[str, Any] = {"explicit_bucket_boundaries_advisory": _COUNTS}
        self._duration = meter.create_histogram(
            "db.client.operation.duration",
            description="Duration of database client operations.",
            **seconds,  # type: ignore[arg-type]
        )
        self._phases = meter.create_histogram("ramax.batch.duration", **seconds)  # type: ignore[arg-type]
        self._commands = meter.create_histogram("ramax.batch.commands", "{command}", **counts)
        self._events = meter.create_counter("ramax.events", "{event}")
        self._lost = meter.create_counter("ramax.batch.lost", "{command}")
        self._lookups = meter.create_counter("ramax.cache.lookups", "{key}")
        self._migrated = meter.create_counter("ramax.migrated", "{value}")
        self._written = meter.create_counter("ramax.write_back.values", "{value}")
        self._flushes = meter.create_histogram("ramax.write_back.duration", **seconds)  # type: ignore[arg-type]
        self._done = meter.create_gauge("ramax.rebuild.done", "{event}")
        self._total = meter.create_gauge("ramax.rebuild.total", "{event}")
        self._lag = meter.create_gauge("ramax.subscription.lag", "{event}")

    # -- what the database says ------------------------------------------------------------------

    def opened(self, system: str, gauges: Mapping[str, Callable[[], int]]) -> None:
        """See `Observer.opened`."""
        self._system = {"db.system.name": system}
        self._gauges = dict(gauges)
        for gauge, (name, unit, description) in _GAUGES.items():
            self._meter.create_observable_gauge(
                name, [self._reading(gauge)], unit=unit, description=description
            )

    def _reading(self, gauge: str) -> Callable[[CallbackOptions], Iterable[Observation]]:
        def read(_: CallbackOptions) -> Iterable[Observation]:
            ask = self._gauges.get(gauge)
            return [] if ask is None else [Observation(ask(), self._system)]

        return read

    def closed(self) -> None:
        """See `Observer.closed`."""
        self._gauges.clear()

    def begin(self, operation: str, space_name: str) -> _Begun:
        """See `Observer.begin`."""
        attributes = self._system | {"db.operation.name": operation}
        span = self._tracer.start_span(
            f"{operation} ramax",
            kind=SpanKind.CLIENT,
            attributes=attributes | self._space(space_name),
        )
        token = context.attach(trace.set_span_in_context(span))
        return _Begun(operation, span, token, time.perf_counter())

    def end(self, begun: _Begun, facts: Mapping[str, int], error: BaseException | None) -> None:
        """See `Observer.end`."""
        elapsed = time.perf_counter() - begun.started
        context.detach(begun.token)
        attributes = self._system | {"db.operation.name": begun.operation}
        if error is not None:
            attributes["error.type"] = type(error).__qualname__
            begun.span.set_attribute("error.type", attributes["error.type"])
            begun.span.set_status(Status(StatusCode.ERROR))
        for name, count in facts.items():
            begun.span.set_attribute(f"ramax.{name}", count)
        begun.span.end()
        self._duration.record(elapsed, attributes)

    def batch(self, report: BatchReport) -> None:
        """See `Observer.batch`."""
        now = time.time_ns()
        elapsed = report.decide_seconds + report.write_seconds
        span = self._tracer.start_span(
            "commit ramax",
            kind=SpanKind.CLIENT,
            context=context.Context(),  # it is of many callers, so of none
            start_time=now - int(elapsed * 1e9),
            attributes=self._system
            | {
                "db.operation.name": "commit",
                "db.operation.batch.size": report.commands,
                "ramax.events": report.events,
                "ramax.spaces": report.spaces,
                "ramax.decide.seconds": report.decide_seconds,
            },
        )
        span.end(now)
        self._phases.record(report.decide_seconds, self._system | {"ramax.phase": "decide"})
        self._phases.record(report.write_seconds, self._system | {"ramax.phase": "write"})
        self._commands.record(report.commands, self._system)
        self._events.add(report.events, self._system)
        self._lost.add(report.lost, self._system)
        self.lookups(report.hits, report.misses)

    def lookups(self, hits: int, misses: int) -> None:
        """See `Observer.lookups`."""
        for result, count in (("hit", hits), ("miss", misses)):
            if count:
                self._lookups.add(count, self._system | {"ramax.result": result})

    def progress(self, operation: str, space_name: str, progress: Progress) -> None:
        """See `Observer.progress`."""
        attributes = self._system | self._space(space_name) | {"db.operation.name": operation}
        self._done.set(progress.done, attributes)
        self._total.set(progress.total, attributes)

    def outdated(self, space_name: str, keys: int) -> None:
        """See `Observer.outdated`."""
        self._migrated.add(keys, self._system | self._space(space_name))

    def written_back(self, space_name: str, written: int, failed: int, seconds: float) -> None:
        """See `Observer.written_back`."""
        space = self._system | self._space(space_name)
        for result, count in (("written", written), ("failed", failed)):
            if count:
                self._written.add(count, space | {"ramax.result": result})
        self._flushes.record(seconds, self._system)

    def lag(self, subscription: str, space_name: str, events: int) -> None:
        """See `Observer.lag`."""
        named = self._system | self._space(space_name) | {"ramax.subscription": subscription}
        self._lag.set(events, named)

    def _space(self, space_name: str) -> dict[str, str]:
        return {"ramax.space": space_name} if self._spaces and space_name else {}
