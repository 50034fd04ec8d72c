"""The one seam for whoever watches a database at work: it is told, and changes nothing."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ramax.values import Progress


@dataclass(frozen=True, slots=True)
class BatchReport:
    """One batch of the writer that was committed; times in seconds.

    ``hits`` and ``misses`` count the keys that its commands read: from memory, from the database.
    """

    spaces: int
    commands: int
    events: int
    lost: int
    decide_seconds: float
    write_seconds: float
    hits: int
    misses: int


class Observer:
    """Is told what a database does; override what you want to hear of.

    Called on the event loop, between other work: be quick, and do not await. What it raises is
    logged, and changes nothing. No call carries a payload, a value or a key.
    """

    def opened(self, system: str, gauges: Mapping[str, Callable[[], int]]) -> None:
        """Watch a database from now on.

        Args:
            system: ``sqlite`` or ``postgresql``.
            gauges: What can be asked at any time, from any thread: ``writer_queue`` (commands),
                ``write_back_queue`` (keys), ``cache_bytes``.
        """

    def closed(self) -> None:
        """Hear nothing more of the database."""

    def begin(self, operation: str, space_name: str) -> Any:
        """Hear of an operation that begins; return what `end` is to get.

        ``execute``, ``append``, ``fetch``, ``catch_up``, ``rebuild``, ``migrate``, ``verify``.
        """

    def end(self, begun: Any, facts: Mapping[str, int], error: BaseException | None) -> None:
        """Hear of its end, in the same task. ``facts`` counts ``events`` or ``keys``."""

    def batch(self, report: BatchReport) -> None:
        """Hear of a batch that was committed."""

    def lookups(self, hits: int, misses: int) -> None:
        """Hear how many keys a read found in memory, and how many it asked the database for."""

    def progress(self, operation: str, space_name: str, progress: Progress) -> None:
        """Hear how far a rebuild has come."""

    def outdated(self, space_name: str, keys: int) -> None:
        """Hear of values that were read in an older shape than declared, and migrated."""

    def written_back(self, space_name: str, written: int, failed: int, seconds: float) -> None:
        """Hear of a flush of migrated values."""

    def lag(self, subscription: str, space_name: str, events: int) -> None:
        """Hear how many events a subscription has yet to handle in a space.

        Of one over all spaces, which has no ``space_name``, it is how many event ids: at least as
        many as there are events.
        """
