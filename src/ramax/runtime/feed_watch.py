"""Names the transaction that holds the feed of all spaces back, when it does so for long."""

import logging
import time

from ramax.storage import feed
from ramax.storage.events import read_last_id
from ramax.storage.executors import Executor

logger = logging.getLogger("ramax.feed")


class FeedWatch:
    """Looks at the feed's watermark from time to time; ``slow`` is in seconds."""

    def __init__(self, slow: float) -> None:
        self._slow = slow
        self._stuck_at, self._since = -1, 0.0

    def look(self, ex: Executor) -> int:
        """Return up to which event id the feed can be read."""
        drawn = read_last_id(ex)
        safe = feed.safe_event_id(ex)
        now = time.monotonic()
        if safe >= drawn or safe != self._stuck_at:
            self._stuck_at, self._since = safe, now
        elif now - self._since >= self._slow and (holder := feed.holder(ex)):
            logger.warning(
                "a transaction that has appended, and is still open, has held all readers of all "
                "spaces back at event %d for more than %g s: %s",
                safe,
                self._slow,
                holder,
            )
            self._since = now
        return safe
