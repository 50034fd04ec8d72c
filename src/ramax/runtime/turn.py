"""A turn: somebody keeps the writer, or spaces, for himself, and is named if it is for long."""

import asyncio
import logging
from dataclasses import dataclass

logger = logging.getLogger("ramax.writer")


@dataclass(eq=False, slots=True)
class Turn:
    """Somebody who needs the writing connection for himself; granted when it is his."""

    holder: str
    granted: "asyncio.Future[None]"
    expiry: asyncio.TimerHandle | None = None
    """When those who wait behind it have waited for as long as they may."""

    _watch: asyncio.TimerHandle | None = None

    def watch(self, patience: float, kept: str) -> None:
        """Warn whenever it has gone on for so many more seconds, until `end`.

        Args:
            kept: What is kept from whom.
        """
        loop = asyncio.get_running_loop()
        self._watch = loop.call_later(patience, self._warn, patience, kept)

    def _warn(self, patience: float, kept: str) -> None:
        logger.warning("%s has kept %s for more than %g s", self.holder, kept, patience)
        self.watch(patience, kept)

    def end(self) -> None:
        """Let nothing more become of it."""
        for timer in (self._watch, self.expiry):
            if timer is not None:
                timer.cancel()
