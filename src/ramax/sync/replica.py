"""A space as a replica: who it is among the others, what it has that they lack, and theirs."""

from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from ramax.core.datatypes.replica import REPLICA
from ramax.core.domain import Domain
from ramax.core.sync.head import ReplicaHead
from ramax.core.sync.record import DISCARDED, EventRecord
from ramax.core.sync.vector import Vector, covers, missing
from ramax.core.sync.wire import fields_from
from ramax.errors import MisuseError, SpaceNotFoundError
from ramax.runtime import reprojection
from ramax.runtime.catchup import catch_up_all
from ramax.runtime.commands import NO_DOMAIN, append, submit
from ramax.runtime.core import Core
from ramax.storage import checkpoints
from ramax.storage.executors import Executor
from ramax.storage.quarantine import listed
from ramax.storage.reads import read_facts
from ramax.storage.records import read_records
from ramax.storage.replicas import Identity, read_identity
from ramax.storage.runs import read_vector
from ramax.sync.enabling import enable, rekey
from ramax.sync.foldable import Foldable
from ramax.sync.layer import Refused
from ramax.sync.quarantine import Quarantine, Quarantined, judged
from ramax.sync.receiving import OriginReusedError, Receive
from ramax.values import Space

T = TypeVar("T")

_POLL = 1.0
"""Seconds between looks for what another process wrote, where nothing tells of it."""

_NONE: Sequence[EventRecord] = ()


@dataclass(frozen=True, slots=True)
class ReplicaInfo:
    """Who a space is among its replicas, and how far it is."""

    space_uid: bytes
    """16 bytes, the same on every replica."""

    origin: bytes
    """16 bytes, of this replica alone; another one after it was restored from a backup."""

    epoch: bytes
    """16 bytes; another one once this copy does not go on from where it was."""

    vector: Vector
    """The newest sequence of every origin whose events are here."""

    stamp: int
    """The newest of the hybrid logical clock."""

    quarantined: int = 0
    """Records of others that are kept aside: see `Replica.quarantined`."""


@dataclass(frozen=True, slots=True)
class IngestResult:
    """What became of records: those that are not refused are here now, once."""

    vector: Vector
    accepted: int
    duplicates: int
    rejected: tuple[Refused, ...]
    """Not taken, and not known by the vector either: see `Replica.quarantined`."""


class Replica:
    """The replication of one space.

    Events have an origin, a sequence in it and a stamp of a hybrid logical clock, kept beside the
    log. All replicas that know the same events fold them in the same order, that of their stamps,
    whichever order they came in. What is written here never waits for others.
    """

    def __init__(self, core: Core, space: Space, domain: Domain | None = None) -> None:
        """Describe the replication of a space.

        Args:
            domain: Folds what comes; without one, events of an application wait for a handle that
                has it, and those of the data types are folded as long as there are none.
        """
        self._core, self._space, self._domain = core, space, domain
        self._foldable = Foldable()

    def __repr__(self) -> str:
        return f"<Replica of {self._space.space_name!r}>"

    async def enable(self, space_uid: bytes | None = None) -> ReplicaInfo:
        """Begin to replicate: events that are there get their rows, page by page; once.

        Args:
            space_uid: The id that other replicas know the space by; None makes one.

        Raises:
            MisuseError: The space has another id already, holds events of an old format, or
                values that no event wrote.
        """
        self._core.check_caller()
        space = await self._core.saved(self._space)
        if await enable(self._core, space, space_uid):
            await self._project_anew(space)
        await self._fold(space)
        return await self.info()

    async def enabled(self) -> bool:
        """Say whether the space is replicated."""
        return await self._read(lambda ex, id_: _epoch(read_identity(ex, id_)), None) is not None

    async def info(self) -> ReplicaInfo:
        """Return who this replica is and how far.

        Raises:
            MisuseError: The space is not replicated.
        """
        found = await self._read(self._info, None)
        if found is None:
            raise MisuseError(
                f"space {self._space.space_name!r} is not replicated: await replica.enable() first"
            )
        return found

    async def read(self, since: Vector, limit: int = 500) -> AsyncGenerator[Sequence[EventRecord]]:
        """Yield all records beyond ``since`` in pages; those of an origin in order, gapless."""
        for origin, (at, upto) in missing((await self.info()).vector, since).items():
            after = at
            while after < upto:
                page = await self._read(self._page(origin, after, min(limit, upto - after)), _NONE)
                if not page:  # they have another origin now: see `rekey`
                    break
                after = page[-1].origin_seq
                yield page

    async def ingest(
        self, records: Sequence[EventRecord], *, gives_way: bool = False
    ) -> IngestResult:
        """Take records of other replicas, all in one transaction, and fold them in a second one.

        What is here already is a duplicate. A record that came late, after others that follow it
        in the order of the stamps, is folded where it belongs (`ramax.runtime.late`). One that
        cannot be taken is kept aside, see `quarantined`, and those of its origin after it wait.

        Args:
            gives_way: For what was fetched from where this replica's own events go: if other
                events are there under its origin, it was restored from a backup, or copied, and
                goes on under a new one. What is pushed here by others is refused instead.

        Raises:
            DataError: A record is none: a field breaks a rule.
            GapError: Events of an origin before these are missing; ``wanted`` says from where to
                send, which may be from the beginning of this replica's own.
            ForkError: Other events are in their places, or have their uid.
        """
        for record in records:
            fields_from(list(record))
        return await self._take(records, gives_way=gives_way)

    async def _take(
        self,
        records: Sequence[EventRecord],
        *,
        gives_way: bool = False,
        everything: bool = False,
    ) -> IngestResult:
        space = await self._core.saved(self._space)
        quarantine, given = Quarantine(self._core, space), judged(records)
        duplicates = accepted = 0
        decided = any(record.event_type == DISCARDED for record in records)
        while True:
            tried, left_out, kept = await quarantine.beside(given, everything=everything)
            work = Receive(tried, gives_way, left_out)
            try:
                await submit(self._core, space, work)
            except OriginReusedError as reused:
                await rekey(self._core, space, reused.origin, reused.first)
                await self._project_anew(space)
                continue
            if kept or work.aside:
                await quarantine.settle(work.aside)
            duplicates, accepted = duplicates + work.duplicates, accepted + len(work.accepted)
            if decided and (kept or work.aside):
                given, everything, decided = [], True, False  # it may be about one of these
                continue
            if accepted:
                await self._fold(space)
            return IngestResult(work.vector, accepted, duplicates, work.refused)

    async def quarantined(self) -> list[Quarantined]:
        """Return the records of others that are kept aside, by origin and sequence.

        A record that cannot be taken holds up those of its origin after it, and no others. It is
        tried again with whatever comes, and when the space is opened by a manager.
        """
        space = await self._core.resolve(self._space)
        return await Quarantine(self._core, space).listed() if space.space_id else []

    async def retry(self) -> IngestResult:
        """Try again to take what is kept aside.

        Raises:
            MisuseError: The space is not replicated.
        """
        await self.info()
        return await self._take((), everything=True)

    async def discard(self, uid: bytes, reason: str = "") -> IngestResult:
        """Give up a record that is kept aside: its place is taken, and no replica folds it.

        That is an event of its own, which reaches all replicas as any other. Those that had taken
        the record fold the space anew without it; it stays in their logs, and is passed on.

        Args:
            uid: Of the record, 16 bytes.
            reason: For people; by default that for which it was refused.

        Raises:
            RecordNotFoundError: No such record is kept aside.
            DataError: It is damaged: it will be taken once it comes whole.
        """
        await self.info()
        space = await self._core.saved(self._space)
        event = await Quarantine(self._core, space).discarding(uid, reason)
        await append(self._core, space, REPLICA, [event])
        result = await self._take((), everything=True)
        await self._fold(space)
        return result

    async def _fold(self, space: Space) -> None:
        domain = self._domain
        if domain is None and not await self._core.read(
            lambda ex: self._foldable.without_domain(ex, space)
        ):
            return
        await catch_up_all(self._core, space, domain or NO_DOMAIN)

    async def _project_anew(self, space: Space) -> None:
        """Make the rows of projections anew where handlers get other numbers than before."""
        domain = self._domain or NO_DOMAIN
        found: dict[str, int] = await self._read(
            lambda ex, n: checkpoints.read_all(ex, n) or {}, {}
        )
        for projection in domain.projections:
            if projection.name in found:
                await reprojection.rebuild(self._core, space, domain, projection)

    async def changed(self, vector: Vector) -> Vector:
        """Wait until the space has events beyond a vector, and return how far it is then."""
        space = await self._core.resolve(self._space)
        bell = self._core.wakeups.bell(space.space_id, _POLL)
        try:
            while True:
                bell.clear()
                found = (await self.info()).vector
                if not covers(vector, found):
                    return found
                await bell.wait()
        finally:
            await self._core.wakeups.dismiss(bell)

    def _page(
        self, origin: bytes, after: int, limit: int
    ) -> Callable[[Executor, int], Sequence[EventRecord]]:
        def page(ex: Executor, space_id: int) -> Sequence[EventRecord]:
            return read_records(ex, space_id, origin, after=after, limit=limit)

        return page

    def _info(self, ex: Executor, space_id: int) -> ReplicaInfo | None:
        identity = read_identity(ex, space_id)
        facts = read_facts(ex, {space_id: ()}).get(space_id)
        if facts is None:
            raise SpaceNotFoundError(self._space.space_name)
        if identity is None or identity.epoch is None or facts.guard.replica is None:
            return None
        head = ReplicaHead.unpack(facts.guard.replica)
        vector = read_vector(ex, space_id)
        aside = len(listed(ex, space_id))
        return ReplicaInfo(
            *(identity.space_uid, head.origin, identity.epoch, vector, head.stamp, aside)
        )

    async def _read(self, work: Callable[[Executor, int], T], nothing: T) -> T:
        space = await self._core.resolve(self._space)
        if not space.space_id:
            return nothing
        return await self._core.read_whole(lambda ex: work(ex, space.space_id))


def _epoch(identity: Identity | None) -> bytes | None:
    return None if identity is None else identity.epoch
