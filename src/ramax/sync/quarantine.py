"""The records that a replica does not take: kept aside, tried again, and discarded by people."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from ramax.core.clock import check_stamp
from ramax.core.datatypes.replica import discarded
from ramax.core.sync.record import EventRecord
from ramax.core.sync.sound import DAMAGED, refusal_of
from ramax.errors import ClockSkewError, DataError, RecordNotFoundError
from ramax.runtime.core import Core
from ramax.storage import quarantine
from ramax.storage.executors import Executor
from ramax.storage.locks import take_lock
from ramax.storage.quarantine import Kept
from ramax.sync.sorting import WAITING, Aside, Given
from ramax.values import NewEvent, Space, from_micros


@dataclass(frozen=True, slots=True)
class Quarantined:
    """A record of another replica that is kept aside; the vector does not know it."""

    uid: bytes
    origin: bytes
    origin_seq: int
    code: str
    """``sync.clock_skew``, ``sync.unsound``, ``sync.damaged``, or ``sync.waiting`` behind such."""

    reason: str
    refused_at: datetime
    size: int
    """Bytes."""


class Quarantine:
    """What one space keeps aside."""

    def __init__(self, core: Core, space: Space) -> None:
        self._core, self._space = core, space

    async def listed(self) -> list[Quarantined]:
        """Return what is kept, by origin and sequence."""
        kept = await self._kept()
        return [
            Quarantined(k.uid, k.origin, k.origin_seq, k.code, k.reason, _moment(k), k.size)
            for k in kept
        ]

    async def beside(
        self, given: Sequence[Given], *, everything: bool
    ) -> tuple[list[Given], frozenset[bytes], bool]:
        """Return what is to be tried together with records that came.

        That is what is kept of their origins, and of those whose first one may be taken now.

        Returns:
            The records that came and those that were kept; which of them are to be left out; and
            whether anything is kept.
        """
        kept, now = await self._kept(), self._core.clock()
        refused = {each.record.uid for each in given if not _may_pass(each, now)}
        if not kept:
            return [*given], await self._left_out(refused), False
        left_out = await self._left_out(refused | {each.uid for each in kept})
        due = {each.record.origin for each in given}
        due |= {each.origin for each in kept if everything or each.uid in left_out}
        tried = [*given]
        for records in await self._records({each.origin for each in kept}):
            again = judged(records)
            if again and (again[0].record.origin in due or _may_pass(again[0], now)):
                tried += again
        return tried, left_out, True

    async def settle(self, aside: Sequence[Aside]) -> None:
        """Keep what was not taken, and forget what was."""
        space, now = self._space, self._core.clock()

        def work(ex: Executor) -> None:
            take_lock(ex, space.space_id, space.space_name)
            quarantine.settle(ex, space.space_id, aside, now)

        await self._core.locked(f"quarantine of space {space.space_name!r}", work)

    async def discarding(self, uid: bytes, reason: str) -> NewEvent:
        """Return the event that discards a record which is kept aside.

        Raises:
            RecordNotFoundError: It is not.
            DataError: It is damaged: what it was nobody knows here.
        """
        kept = next((each for each in await self._kept() if each.uid == uid), None)
        if kept is None:
            raise RecordNotFoundError(self._space.space_name, uid.hex())
        if kept.code == DAMAGED:
            raise DataError("record", uid, "is damaged, and will be taken once it comes whole")
        code = kept.code if kept.code != WAITING else ""
        return discarded(uid, code, reason or kept.reason)

    async def count(self) -> int:
        """Count what is kept."""
        return len(await self._kept())

    async def _kept(self) -> list[Kept]:
        space_id = self._space.space_id
        return await self._core.read(lambda ex: quarantine.listed(ex, space_id))

    async def _records(self, origins: Collection[bytes]) -> list[list[EventRecord]]:
        space_id = self._space.space_id
        return await self._core.read(
            lambda ex: [quarantine.records(ex, space_id, origin) for origin in sorted(origins)]
        )

    async def _left_out(self, uids: Collection[bytes]) -> frozenset[bytes]:
        if not uids:
            return frozenset()
        space_id = self._space.space_id
        return await self._core.read(lambda ex: quarantine.read_discarded(ex, space_id, uids))


def judged(records: Iterable[EventRecord]) -> list[Given]:
    """Say of records whether they are to be taken."""
    return [Given(record, refusal_of(record)) for record in records]


def _may_pass(given: Given, now: int) -> bool:
    """Say whether there is no cause, or none any more, to refuse a record."""
    try:
        check_stamp(given.record.stamp, now)
    except ClockSkewError:
        return False
    return given.refusal is None


def _moment(kept: Kept) -> datetime:
    return from_micros(kept.refused_at)
