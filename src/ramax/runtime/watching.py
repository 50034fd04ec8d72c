"""Telling an observer, so that nothing it does can harm what it watches."""

import logging
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Self

from ramax.core.observer import BatchReport, Observer
from ramax.runtime.attempt import Attempt
from ramax.runtime.jobs import StateBehindError
from ramax.values import Progress

logger = logging.getLogger("ramax.observer")


class Watch:
    """An observer behind a guard: what it raises is logged."""

    __slots__ = ("_observer",)

    def __init__(self, observer: Observer) -> None:
        self._observer = observer

    def _tell(self, verb: Callable[..., Any], *arguments: Any) -> Any:
        try:
            return verb(*arguments)
        except Exception:
            logger.exception("the observer %r failed", self._observer)
            return None

    def operation(self, name: str, space_name: str) -> "Operation":
        """Watch a block."""
        return Operation(self, name, space_name)

    def begin(self, operation: str, space_name: str) -> Any:
        """See `Observer.begin`."""
        return self._tell(self._observer.begin, operation, space_name)

    def end(self, begun: Any, facts: Mapping[str, int], error: BaseException | None) -> None:
        """See `Observer.end`."""
        self._tell(self._observer.end, begun, facts, error)

    def opened(self, system: str, gauges: Mapping[str, Callable[[], int]]) -> None:
        """See `Observer.opened`."""
        self._tell(self._observer.opened, system, gauges)

    def closed(self) -> None:
        """See `Observer.closed`."""
        self._tell(self._observer.closed)

    def batch(self, report: BatchReport) -> None:
        """See `Observer.batch`."""
        self._tell(self._observer.batch, report)

    def lookups(self, hits: int, misses: int) -> None:
        """See `Observer.lookups`."""
        self._tell(self._observer.lookups, hits, misses)

    def progress(self, operation: str, space_name: str, progress: Progress) -> None:
        """See `Observer.progress`."""
        self._tell(self._observer.progress, operation, space_name, progress)

    def outdated(self, space_name: str, keys: int) -> None:
        """See `Observer.outdated`."""
        self._tell(self._observer.outdated, space_name, keys)

    def written_back(self, space_name: str, written: int, failed: int, seconds: float) -> None:
        """See `Observer.written_back`."""
        self._tell(self._observer.written_back, space_name, written, failed, seconds)

    def lag(self, subscription: str, space_name: str, events: int) -> None:
        """See `Observer.lag`."""
        self._tell(self._observer.lag, subscription, space_name, events)


class Operation:
    """A block that an observer hears the beginning and the end of."""

    __slots__ = ("_begun", "_name", "_space_name", "_watch", "facts")

    def __init__(self, watch: Watch, name: str, space_name: str) -> None:
        self._watch, self._name, self._space_name = watch, name, space_name
        self._begun: Any = None
        self.facts: dict[str, int] = {}

    def __enter__(self) -> Self:
        self._begun = self._watch.begin(self._name, self._space_name)
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        error: BaseException | None,
        _: TracebackType | None,
    ) -> None:
        if isinstance(error, StateBehindError):  # it goes on as another one, after the catch-up
            error = None
        self._watch.end(self._begun, self.facts, error)


def report_of(attempt: Attempt, now: float) -> BatchReport:
    """Sum up a batch that was committed, before anybody learns from it.

    Args:
        now: As `time.perf_counter` says it.
    """
    hits = misses = events = 0
    for space_id, unit in attempt.units.items():
        known, _ = attempt.seen[space_id]
        held = known.values if known is not None else {}
        found = sum(key in held for key in unit.state.known)
        hits, misses = hits + found, misses + len(unit.state.known) - found
        events += len(unit.rows)
    return BatchReport(
        len(attempt.units),
        len(attempt.answered),
        events,
        len(attempt.again),
        attempt.decided - attempt.begun,
        now - attempt.decided,
        hits,
        misses,
    )
