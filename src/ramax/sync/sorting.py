"""Which records of other replicas can be taken now, which never, and which have to wait."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from ramax.core.clock import check_stamp
from ramax.core.sync.record import EventRecord
from ramax.core.sync.runs import Newest
from ramax.core.sync.sound import DAMAGED, UNSOUND, Refusal
from ramax.errors import ClockSkewError, GapError
from ramax.sync.layer import Refused

WAITING = "sync.waiting"
"""Code of a record that follows one of its origin that was not taken."""


class Given(NamedTuple):
    """A record that came, and why it is not to be taken, if it is not."""

    record: EventRecord
    refusal: Refusal | None = None


class Aside(NamedTuple):
    """A record that was not taken, to be kept until it can be."""

    record: EventRecord
    code: str
    reason: str


def _turn(given: Given) -> tuple[bytes, int, bool]:
    """Sort by origin and sequence; of two for one place, a damaged one comes last."""
    damaged = given.refusal is not None and given.refusal.code == DAMAGED
    return given.record.origin, given.record.origin_seq, damaged


class Sorting:
    """Tells records that are taken from those that are not, and from those that have to wait."""

    def __init__(
        self, space: str, newest: Mapping[bytes, Newest], discarded: frozenset[bytes], now: int
    ) -> None:
        self._space, self._discarded, self._now = space, discarded, now
        self._known = {origin: each.origin_seq for origin, each in newest.items()}
        self._stamps = {origin: each.stamp for origin, each in newest.items()}
        self._reached = dict(self._known)
        self._stopped: set[bytes] = set()
        self._believed: list[EventRecord] = []
        self._refused: list[Refused] = []
        self._aside: list[Aside] = []
        self.left_out: dict[bytes, int] = {}
        """Uids of records that are taken as what nobody folds, and the stamp that they get."""

    def add_all(self, given: Iterable[Given]) -> None:
        """Take records, by origin and sequence.

        Raises:
            GapError: Events of an origin before one of these are missing.
        """
        for each in sorted(given, key=_turn):
            self._add(each)

    def _add(self, given: Given) -> None:
        record, refusal = given
        origin, seq = record.origin, record.origin_seq
        if refusal is not None and refusal.code == DAMAGED and seq <= self._reached.get(origin, 0):
            return  # the whole one is here
        if origin in self._stopped:
            last = self._aside[-1].record
            if (last.origin, last.origin_seq) != (origin, seq):  # it may come, and be kept already
                self._aside.append(Aside(record, WAITING, "it follows one that is not taken"))
            return
        if seq <= self._known.get(origin, 0):
            self._believed.append(record)
            return
        refusal = refusal or self._too_early(record) or self._too_low(record)
        if refusal is not None and not self._is_left_out(record, refusal):
            self._stop(record, refusal)
            return
        if record.uid not in self.left_out:
            self._stamps[origin] = max(record.stamp, self._stamps.get(origin, 0))
        self._reached[origin] = max(seq, self._reached.get(origin, 0))
        self._believed.append(record)

    def _is_left_out(self, record: EventRecord, refusal: Refusal) -> bool:
        if refusal.code == DAMAGED or record.uid not in self._discarded:
            return False
        self.left_out[record.uid] = self._stamps.get(record.origin, 0)
        return True

    def _stop(self, record: EventRecord, refusal: Refusal) -> None:
        if record.origin_seq > self._reached.get(record.origin, 0) + 1:
            raise GapError(self._space, dict(self._known))
        self._stopped.add(record.origin)
        self._refused.append(Refused(record.uid, *refusal))
        self._aside.append(Aside(record, *refusal))

    def _too_early(self, record: EventRecord) -> Refusal | None:
        try:
            check_stamp(record.stamp, self._now)
        except ClockSkewError as error:
            return Refusal(error.code, str(error))
        return None

    def _too_low(self, record: EventRecord) -> Refusal | None:
        """Within an origin stamps ascend: no clock goes back."""
        if record.origin_seq != self._reached.get(record.origin, 0) + 1:
            return None
        if record.stamp > self._stamps.get(record.origin, -1):
            return None
        return Refusal(UNSOUND, "its stamp is not above that of the event before it")

    def place(self, record: EventRecord) -> tuple[int, bytes, int]:
        """Return where a record that is taken comes, by the stamp that is stored."""
        return self.left_out.get(record.uid, record.stamp), record.origin, record.origin_seq

    def results(self) -> tuple[list[EventRecord], tuple[Refused, ...], tuple[Aside, ...]]:
        """Return what is taken, what is not, and what is to be kept aside."""
        return self._believed, tuple(self._refused), tuple(self._aside)
