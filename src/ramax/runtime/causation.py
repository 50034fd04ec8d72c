"""What is recorded while an event is being handled was caused by it, unless it says otherwise."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from ramax.core.new_events import Causes
from ramax.values import Event

_NOTHING = Causes()
_HANDLED: ContextVar[Causes | None] = ContextVar("ramax_handled", default=None)


@contextmanager
def handling(event: Event) -> Iterator[None]:
    """Let commands and appends of the block, and of tasks it starts, inherit from an event."""
    before = _HANDLED.get()
    _HANDLED.set(Causes(event.event_id, event.correlation_id))
    try:
        yield
    finally:
        _HANDLED.set(before)  # a token would fail where a generator is closed by another task


def inherited(causation_id: int | None, correlation_id: str | None) -> Causes:
    """Complete what a call says by what it inherits."""
    handled = _HANDLED.get()
    if handled is None:
        if causation_id is None and correlation_id is None:
            return _NOTHING
        return Causes(causation_id, correlation_id)
    return Causes(
        handled.causation_id if causation_id is None else causation_id,
        handled.correlation_id if correlation_id is None else correlation_id,
    )
