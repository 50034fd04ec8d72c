"""Writing the rows of an old database into the target, page by page, in one open transaction."""

import time
from array import array
from collections.abc import Callable, Container, Iterator
from itertools import islice
from typing import Any, Final, NamedTuple

from ramax.core.codec import FORMAT_MSGPACK
from ramax.core.domain import Domain
from ramax.legacy.event_ids import EventIds
from ramax.legacy.pages import PAGE, in_thread, pages
from ramax.legacy.records import LegacyCheckpoint, LegacyEvent, LegacySpace
from ramax.legacy.report import ImportConflictError, LostCause
from ramax.legacy.source import PSTATE_CHECKPOINT, LegacySource
from ramax.legacy.target import Destination, Run, Survey, is_empty
from ramax.storage import chain, import_ids, import_rows
from ramax.storage.executors import Executor
from ramax.storage.locks import take_lock
from ramax.storage.spaces import domains_row, pack_metadata
from ramax.storage.spill import Spill
from ramax.values import Progress

_MEANWHILE: Final = "was made or written to meanwhile"


class Keep(NamedTuple):
    """Which ids may stay what they are."""

    spaces: bool
    events: bool


def may_keep(ex: Executor, source: LegacySource) -> Keep:
    """Say which ids can be kept: cursors of readers may stand above ids that were once used."""
    space_was, event_was = import_ids.was_used(ex)
    return Keep(
        not (space_was or event_was) and source.highest_space_id <= import_ids.LAST_ID,
        not event_was
        and source.lowest_event_id >= 1
        and source.highest_event_id <= import_ids.LAST_ID,
    )


def claim_ids(ex: Executor, source: LegacySource) -> Keep:
    """Do what `may_keep` does; where ids are kept it stays true until the transaction ends."""
    keep = may_keep(ex, source)
    if any(keep):
        import_ids.keep_unused(ex)
        keep = may_keep(ex, source)
    if keep.spaces:
        import_ids.reserve_space_ids(ex, source.highest_space_id)
    if keep.events:
        import_ids.reserve_event_ids(ex, source.highest_event_id)
    return keep


def causes_to_lose(source: LegacySource, spaces: Container[int]) -> list[LostCause]:
    """Find what an import of these spaces, by old ids, would lose if event ids were new."""
    ids = EventIds()
    for event_id in source.event_ids():
        ids.add(event_id, event_id)
    return [
        LostCause(event.event_id, event.causation_id)
        for event in source.events()
        if event.space_id in spaces
        and event.causation_id is not None
        and ids.new(event.causation_id) is None
    ]


class Writing:
    """One import on its way.

    Call `begin`, then `events`, then `keep_state` or `replace_state` for each space, then `end`.

    ``ids`` are those of events that are in the target already, all of them after `begin`, and
    ``place`` the new space ids by the old ones. ``total``: how many rows ``progress`` will hear of.
    """

    def __init__(
        self,
        run: Run,
        source: LegacySource,
        known: Survey,
        progress: Callable[[Progress], object],
    ) -> None:
        self._run, self._source, self._progress = run, source, progress
        self._new = list(known.to_be_written().values())
        self._heads = {each.old.space_id: each.old.last_sequence for each in self._new}
        self.ids, self.lost_causes = known.ids, known.lost_causes
        self.place = known.place()
        self._latest = dict.fromkeys(self._heads, 0)  # timestamps, and ids of the last events
        self._newest = dict.fromkeys(self._heads, 0)
        self._folded: set[int] = set()
        self._done, self._started = 0, time.monotonic()
        self.total = sum(each.old.event_count + each.old.key_count for each in self._new)

    @property
    def written(self) -> list[int]:
        """The ids of the spaces that were written to."""
        return sorted(self.place[each.old.space_id] for each in self._new)

    async def begin(self) -> None:
        """Make the spaces, and decide on all ids.

        Raises:
            ImportConflictError: Others were at one of them since the survey.
        """
        keep = await self._run(lambda ex: claim_ids(ex, self._source) if self._new else None)
        await self._run(lambda ex: self._make_spaces(ex, keep=bool(keep and keep.spaces)))
        if keep and keep.events:
            self.ids = EventIds(kept=True)
        elif self._new:
            await self._draw_ids()

    def _make_spaces(self, ex: Executor, *, keep: bool) -> None:
        empty = [(d.found, d) for d in self._new if d.found is not None]
        for space, each in sorted(empty, key=lambda pair: pair[0].space_id):
            take_lock(ex, space.space_id, space.space_name)
            if not is_empty(ex, space.space_id):
                raise ImportConflictError({each.space_name: _MEANWHILE})
            metadata = _packed_metadata(each)
            import_rows.describe_space(ex, space.space_id, each.old.created_at, metadata)
        for each in self._new:
            if each.found is None:
                own = each.old.space_id if keep and each.old.space_id > 0 else None
                made = import_rows.create_space(
                    ex, own, each.space_name, each.old.created_at, _packed_metadata(each)
                )
                if made is None:
                    raise ImportConflictError({each.space_name: _MEANWHILE})
                self.place[each.old.space_id] = made

    async def _draw_ids(self) -> None:
        present = self.ids
        old = await in_thread(
            lambda: array("q", (i for i in self._source.event_ids() if present.new(i) is None))
        )
        drawn = await self._run(
            lambda ex: array("q", import_ids.draw_event_ids(ex, len(old)) if old else ())
        )
        for one, other in zip(old, drawn, strict=True):
            self.ids.add(one, other)
        self.ids.sort()

    async def events(self) -> None:
        """Write all events, in the order of their ids."""
        async for page in pages(self._source.events()):
            rows = [self._event_row(event) for event in page if event.space_id in self._heads]
            await self._run(lambda ex, r=rows: import_rows.insert_events(ex, r))  # type: ignore[misc]
            self._tell(len(rows))

    def _event_row(self, event: LegacyEvent) -> tuple[Any, ...]:
        old = event.space_id
        event_id = self.ids.new(event.event_id)
        assert event_id is not None  # every event has one by now
        self._latest[old] = max(self._latest[old], event.timestamp)
        self._newest[old] = event_id
        return (
            event_id,
            self.place[old],
            event.space_sequence,
            event.entity_id,
            event.event_type,
            event.payload,
            event.format,
            event.timestamp,
            self._cause(event),
            event.correlation_id,
            event.created_at,
        )

    def _cause(self, event: LegacyEvent) -> int | None:
        if event.causation_id is None:
            return None
        cause = self.ids.new(event.causation_id)
        if cause is None:
            self.lost_causes.append(LostCause(event.event_id, event.causation_id))
        return cause

    async def keep_state(self, old: LegacySpace) -> None:
        """Write the pstate of a space as it was."""
        space_id = self.place[old.space_id]
        async for page in pages(self._source.values(space_id=old.space_id)):
            rows = [(space_id, *value[1:]) for value in page]
            await self._run(lambda ex, r=rows: import_rows.insert_values(ex, r))  # type: ignore[misc]
            self._tell(len(rows))

    async def replace_state(self, old: LegacySpace, folded: Spill, domain: Domain) -> None:
        """Write what ``domain`` has folded of all events of a space."""
        space_id, stamp = self.place[old.space_id], self._latest[old.space_id]
        self._folded.add(old.space_id)
        whose = domains_row(space_id, domain.names)
        await self._run(lambda ex: ex.run_many(whose.statement, whose.rows))
        walk = folded.walk()
        while rows := await in_thread(lambda: _folded_rows(walk, space_id, stamp)):
            await self._run(lambda ex, r=rows: import_rows.insert_values(ex, r))  # type: ignore[misc]
        self._tell(old.key_count)

    async def end(self) -> None:
        """Write how far everything is; from here on the spaces can be used."""
        checkpoints = [
            self._checkpoint(each)
            for each in await in_thread(lambda: list(self._source.checkpoints()))
            if each.space_id in self._heads
        ]
        await self._run(lambda ex: import_rows.set_checkpoints(ex, checkpoints))
        await self._run(self._move_guards)

    def _checkpoint(self, kept: LegacyCheckpoint) -> dict[str, Any]:
        event_id, sequence = self.ids.new(kept.last_event_id), kept.last_space_sequence
        if kept.name == PSTATE_CHECKPOINT and kept.space_id in self._folded:
            event_id, sequence = self._newest[kept.space_id], self._heads[kept.space_id]
        return {
            "space_id": self.place[kept.space_id],
            "name": kept.name,
            "event_id": event_id or 0,
            "sequence": sequence,
            "now": kept.updated_at,
        }

    def _move_guards(self, ex: Executor) -> None:
        for old, head in self._heads.items():
            stamp = self._latest[old]
            import_rows.move_guard(ex, self.place[old], last_sequence=head, last_timestamp=stamp)
            chain.extend(ex, self.place[old], PAGE)

    def _tell(self, rows: int) -> None:
        self._done += rows
        self._progress(Progress(self._done, self.total, time.monotonic() - self._started))


def _packed_metadata(destination: Destination) -> bytes | None:
    metadata = destination.old.metadata
    return None if metadata is None else pack_metadata(metadata, destination.space_name)


def _folded_rows(
    walk: Iterator[tuple[str, bytes]], space_id: int, stamp: int
) -> list[tuple[Any, ...]]:
    return [(space_id, key, value, FORMAT_MSGPACK, stamp) for key, value in islice(walk, PAGE)]
