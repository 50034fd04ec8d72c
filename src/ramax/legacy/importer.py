"""Bring an Elixir database into a ramax database, in one transaction (ADR-0026)."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from os import PathLike
from typing import Literal

from ramax.core.domain import Domain
from ramax.errors import DataError, MisuseError
from ramax.legacy.event_ids import EventIds
from ramax.legacy.examination import Examined, examined
from ramax.legacy.pages import in_thread
from ramax.legacy.report import Difference, ImportedSpace, ImportReport
from ramax.legacy.target import Destination, Survey, survey
from ramax.legacy.verification import differences, fold_events
from ramax.legacy.writing import Writing, causes_to_lose, may_keep
from ramax.runtime.core import Core
from ramax.runtime.database import Database
from ramax.runtime.transaction import Transaction
from ramax.storage.import_ids import take_turn
from ramax.storage.planning import limit_waiting
from ramax.storage.spill import Spill
from ramax.values import Progress


async def import_legacy(  # noqa: PLR0913 - every option has a default and a name
    db: Database,
    *paths: str | PathLike[str],
    space: str | None = None,
    rename: Mapping[str, str] | None = None,
    dry_run: bool = False,
    skip_bad: bool = False,
    verify: Domain | None = None,
    pstate: Literal["keep", "rebuild"] = "keep",
    progress: Callable[[Progress], object] | None = None,
    pstate_table: str | None = None,
) -> ImportReport:
    """Import the file, or the files with events and pstate, of an Elixir Ramax of any age.

    The files are only read. All of it is written in one transaction: killed at any moment, nothing
    is there, and running it again does it. Spaces that are there already, with all the old events,
    are left alone, so that a second run writes nothing.

    Args:
        space: The name for rows that name no space; `default` without it.
        rename: Old names of spaces to new ones. Names that are not in it stay what they are.
        dry_run: Write nothing, and say what would be done.
        skip_bad: Leave out rows that cannot be taken over; the report names them.
        verify: Fold the old events by this domain and report which values the old pstate has
            otherwise.
        pstate: ``keep`` stores the old pstate, ``rebuild`` what ``verify`` folds.
        progress: Hears how many rows of how many are written (UTC seconds since the start).
        pstate_table: Its name, where the files hold several that could be it.

    Raises:
        LegacyFormatError: A file is no such database, is damaged, or is in use.
        BadRowsError: Rows cannot be taken over.
        ImportConflictError: A space of a name is there, and holds something else.
        DataError: ``rename`` or ``space`` does not fit what is in the files.
        FoldError: An applicator of ``verify`` failed.
        StorageError: The target failed. Nothing was written, whatever is raised, but for
            CommitUnknownError: then run it again.
    """
    async with examined(
        *paths, space=space, rename=rename, skip_bad=skip_bad, pstate_table=pstate_table
    ) as old:
        return await import_examined(
            db, old, dry_run=dry_run, verify=verify, pstate=pstate, progress=progress
        )


async def import_examined(
    db: Database,
    old: Examined,
    *,
    dry_run: bool = False,
    verify: Domain | None = None,
    pstate: Literal["keep", "rebuild"] = "keep",
    progress: Callable[[Progress], object] | None = None,
) -> ImportReport:
    """Do the rest of `import_legacy`, for who opens the target only when the source is sound."""
    if pstate not in {"keep", "rebuild"}:
        raise DataError("pstate", pstate, "is 'keep' or 'rebuild'")
    if pstate == "rebuild" and verify is None:
        raise MisuseError("pstate='rebuild' needs a domain that folds it: verify=domain")
    core = db._core  # noqa: SLF001 - what its handles share
    core.check_caller()
    job = _Import(core, old, _Wishes(verify, pstate == "rebuild", progress or (lambda _: None)))
    return await (job.rehearse() if dry_run else job.run())


@dataclass(frozen=True, slots=True)
class _Wishes:
    verify: Domain | None
    rebuild: bool
    progress: Callable[[Progress], object]


class _Import:
    """What one call does, once the source is open."""

    def __init__(
        self,
        core: Core,
        old: Examined,
        wishes: _Wishes,
    ) -> None:
        self._core, self._wishes = core, wishes
        self._source, self._found, self._names = old.source, old.report, old.names
        self._differences: list[Difference] = []

    async def rehearse(self) -> ImportReport:
        known = await survey(self._core.read, self._source, self._names)
        keep = await self._core.read(lambda ex: may_keep(ex, self._source))
        place = known.place()
        if keep.spaces:
            place |= {old.space_id: old.space_id for old in self._source.spaces if old.space_id > 0}
        if keep.events:
            known.ids = EventIds(kept=True)
        elif new := known.to_be_written():
            known.lost_causes += await in_thread(lambda: causes_to_lose(self._source, new))
        return await self._compared(known, EventIds(kept=True), place, dry_run=True)

    async def run(self) -> ImportReport:
        known = await survey(self._core.read, self._source, self._names)
        if not known.to_be_written():
            return await self._compared(known, known.ids, known.place(), dry_run=False)
        return await self._in_one_transaction()

    async def _in_one_transaction(self) -> ImportReport:
        paths = ", ".join(str(path) for path in self._found.paths)
        patience = self._core.options.limits.lock_timeout
        written: list[int] = []
        try:
            async with Transaction(self._core, (), _purpose=f"importing {paths}") as tx:
                await tx.run(lambda ex: limit_waiting(ex, patience))
                await tx.run(take_turn)
                known = await survey(tx.run, self._source, self._names)
                writing = Writing(tx.run, self._source, known, self._wishes.progress)
                await self._write(writing, known.destinations)
                await in_thread(self._source.check_unchanged)
                written = writing.written
        finally:
            for space_id in written:  # who is cancelled during the commit has committed
                self._core.cache.forget(space_id)
        self._core.tell(written)
        return self._report(known, writing.ids, writing.place, dry_run=False)

    async def _write(self, writing: Writing, destinations: Sequence[Destination]) -> None:
        await writing.begin()
        await writing.events()
        for each in destinations:
            async with self._folded(each, writing.ids) as folded:
                if each.present:
                    continue
                if folded is not None and self._wishes.rebuild:
                    await writing.replace_state(each.old, *folded)
                else:
                    await writing.keep_state(each.old)
        await writing.end()

    async def _compared(
        self, known: Survey, ids: EventIds, place: Mapping[int, int], *, dry_run: bool
    ) -> ImportReport:
        """Report where nothing is to be written; ``ids`` are those that applicators are to see."""
        for each in known.destinations:
            async with self._folded(each, ids):
                pass
        await in_thread(self._source.check_unchanged)
        return self._report(known, known.ids, place, dry_run=dry_run)

    @asynccontextmanager
    async def _folded(
        self, destination: Destination, ids: EventIds
    ) -> AsyncIterator[tuple[Spill, Domain] | None]:
        """Fold a space's events, if that is wanted, and note where its old pstate differs."""
        domain, source, name = self._wishes.verify, self._source, destination.space_name
        if domain is None:
            yield None
            return
        memory = self._core.options.rebuild_memory
        new, old = Spill(memory), destination.old.space_id
        try:
            await in_thread(
                lambda: fold_events(domain, source.events(space_id=old), name, ids.new, new)
            )
            values = source.values(space_id=old)
            self._differences += await in_thread(
                lambda: differences(new, values, name, memory // 8, domain.schema)
            )
            yield new, domain
        finally:
            new.close()

    def _report(
        self, known: Survey, ids: EventIds, place: Mapping[int, int], *, dry_run: bool
    ) -> ImportReport:
        return ImportReport(
            source=self._found,
            dry_run=dry_run,
            spaces=tuple(
                ImportedSpace(d.old, place.get(d.old.space_id), d.space_name, d.present)
                for d in known.destinations
            ),
            event_ids=ids,
            lost_causes=tuple(known.lost_causes),
            verified=self._wishes.verify is not None,
            rebuilt=self._wishes.rebuild,
            differences=tuple(self._differences),
        )
