"""Whether the log of a space is what it must be: sequences without gaps, readable, in one order."""

from ramax.core.domain import Domain
from ramax.errors import DataError, SpaceNotFoundError, UpcastError
from ramax.runtime.chain_check import ChainCheck
from ramax.runtime.findings import Findings
from ramax.runtime.tag_check import TagCheck
from ramax.storage.events import read_page, recorded_events
from ramax.storage.executors import Executor, Row
from ramax.storage.reads import PSTATE
from ramax.storage.verify import read_checkpoints, read_ends
from ramax.values import ChainHead, Space

_BELOW_ALL = -(2**63)


class LogCheck:
    """Reads every event of a space; each method runs in one unit of work, one at a time.

    Where the domain is known, each event is brought to today's shape as well.

    Args:
        anchor: A hash of the space's chain that was kept elsewhere.
    """

    def __init__(
        self,
        space: Space,
        findings: Findings,
        page: int,
        domain: Domain | None = None,
        anchor: ChainHead | None = None,
    ) -> None:
        self._domain = domain
        self._space, self._findings, self._page = space, findings, page
        self.chain = ChainCheck(space, findings, anchor)
        self.tags = TagCheck(space, findings, page)
        self._after, self._expected, self._event_id = _BELOW_ALL, 1, 0
        self.last_sequence = self.checkpoint = self.event_count = 0

    def begin(self, ex: Executor) -> None:
        """Read how far the events go that are there now; later ones are left alone.

        Raises:
            SpaceNotFoundError: The space is gone.
        """
        self.last_sequence, _ = self._ends(ex)
        self.chain.begin(ex)

    def read_page(self, ex: Executor) -> bool:
        """Check the next events; say whether there may be more."""
        rows = read_page(
            ex,
            self._space.space_id,
            after=self._after,
            upto=self.last_sequence,
            limit=self._page,
        )
        for row in rows:
            self._check(row)
        self.event_count += len(rows)
        self.tags.check(ex, rows)
        more = len(rows) == self._page
        self.chain.check(ex, rows, rows[-1][2] if more else self.last_sequence)
        if not more:
            self._expect(self.last_sequence + 1)
        return more

    def finish(self, ex: Executor) -> None:
        """Check the end of the log, and the checkpoints on it."""
        last, newest = self._ends(ex)
        checkpoints = read_checkpoints(ex, self._space.space_id)
        if newest > last:
            self._findings.add(
                "sequence",
                f"there is an event {newest}, but the space says that {last} is its last",
            )
        for row in checkpoints:
            self._check_checkpoint(row)
        self.chain.finish(ex)

    def _ends(self, ex: Executor) -> tuple[int, int]:
        ends = read_ends(ex, self._space.space_id)
        if ends is None:
            raise SpaceNotFoundError(self._space.space_name)
        return ends

    def _check(self, row: Row) -> None:
        event_id, sequence = row[0], row[2]
        self._expect(sequence)
        if event_id <= self._event_id:
            self._findings.add(
                "sequence",
                f"event {sequence} has the event id {event_id}, the one before it has the id "
                f"{self._event_id}",
            )
        try:
            for _ in recorded_events([row], self._domain, self._space.space_name):
                pass
        except UpcastError as error:
            self._findings.add("upcast", str(error))
        except DataError as error:
            self._findings.add("event", f"event {sequence} cannot be read: {error}")
        self._after, self._expected, self._event_id = sequence, sequence + 1, event_id

    def _expect(self, sequence: int) -> None:
        """Compare the sequence that comes next with the one that must."""
        if sequence > self._expected:
            last = sequence - 1
            missing = f"event {last} is" if last == self._expected else ""
            missing = missing or f"events {self._expected} to {last} are"
            self._findings.add("sequence", f"{missing} missing")
        elif sequence < self._expected:
            self._findings.add("sequence", f"an event has the sequence {sequence}, below 1")

    def _check_checkpoint(self, row: Row) -> None:
        last, name, sequence, event_id, actual = row
        if name == PSTATE:
            self.checkpoint = sequence
        if not 0 <= sequence <= last:
            self._findings.add(
                "checkpoint", f"{name!r} is at {sequence}, and the last event is {last}"
            )
        elif (actual or 0) != event_id:
            there = "no event" if actual is None else f"the event with the id {actual}"
            self._findings.add(
                "checkpoint", f"{name!r} is at {sequence}, {there}, but names the id {event_id}"
            )
