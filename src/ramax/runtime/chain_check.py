"""Whether the hash chain of a space fits its events.

Each event is hashed again on top of the stored hash before it, so what was changed is named, and
not everything after it too. Somebody who makes every later hash anew as well is only found out by
a hash that was kept elsewhere: the anchor.
"""

from collections import deque
from collections.abc import Sequence

from ramax.core.chain import BEGINNING
from ramax.runtime.findings import Findings
from ramax.storage.chain import hash_of, read_hashes, read_head
from ramax.storage.executors import Executor, Row
from ramax.values import ChainHead, Space


class ChainCheck:
    """Goes over the pages of a log that somebody else reads; in the same units of work."""

    def __init__(self, space: Space, findings: Findings, anchor: ChainHead | None) -> None:
        self._space, self._findings, self._anchor = space, findings, anchor
        self._own = Findings()
        self._sequence, self._previous = 0, BEGINNING
        self.checked: int | None = None

    def begin(self, ex: Executor) -> None:
        """Find out whether there is a chain."""
        found = read_head(ex, self._space.space_id)
        if found is not None and found[1] is not None:
            self.checked = 0
        elif self._anchor is not None:
            self._findings.add("chain", "there is no hash chain to compare the anchor with")
        if self._anchor is not None and self._anchor.space_sequence == 0:
            self._compare_anchor(BEGINNING)

    def check(self, ex: Executor, rows: Sequence[Row], upto: int) -> None:
        """Check the next events: those up to and including the sequence ``upto``."""
        if self.checked is None:
            return
        found = read_hashes(ex, self._space.space_id, after=self._sequence, upto=upto)
        hashes = deque(found.items())
        for row in rows:
            self._link(row, hashes)
        self._gaps(hashes, upto + 1)

    def finish(self, ex: Executor) -> None:
        """Check the newest hash; a chain that was ended meanwhile is none."""
        if self.checked is None:
            return
        found = read_head(ex, self._space.space_id)
        if found is None or found[1] is None:
            self.checked = None
            return
        sequence, head, newest = found
        if head != newest:
            self._add(f"the newest hash of the space is not that of its last event, {sequence}")
        if self._anchor is not None and self._anchor.space_sequence > self._sequence:
            self._add(f"the anchor is of event {self._anchor.space_sequence}, which is not there")
        self._findings.take(self._own)

    def _link(self, row: Row, hashes: deque[tuple[int, bytes]]) -> None:
        sequence = row[2]
        self._gaps(hashes, sequence)
        stored = hashes.popleft()[1] if hashes and hashes[0][0] == sequence else None
        assert self.checked is not None
        self.checked += 1
        if stored is None:
            self._add(f"event {sequence} has no hash")
            stored = hash_of(self._previous, row)
        elif sequence != self._sequence + 1:
            self._add(f"event {sequence} follows nothing")
        elif stored != hash_of(self._previous, row):
            self._add(f"event {sequence} is not what was hashed")
        self._sequence, self._previous = sequence, stored
        if self._anchor is not None and self._anchor.space_sequence == sequence:
            self._compare_anchor(stored)

    def _gaps(self, hashes: deque[tuple[int, bytes]], before: int) -> None:
        """Name the events that have a hash and are not there."""
        while hashes and hashes[0][0] < before:
            self._sequence, self._previous = hashes.popleft()
            self._add(f"event {self._sequence} was hashed, and is not there")

    def _compare_anchor(self, stored: bytes) -> None:
        assert self._anchor is not None
        if stored != self._anchor.hash:
            self._add(f"the hash of event {self._anchor.space_sequence} is not the anchor's")

    def _add(self, message: str) -> None:
        self._own.add("chain", message)
