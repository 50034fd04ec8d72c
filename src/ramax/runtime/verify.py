"""Verification: every event of a space read again, and its pstate compared with a new fold.

Nothing of it rests on the writer or on a cache, and nothing is written. It runs beside live writes.
"""

import time
from collections.abc import AsyncIterator, Callable
from functools import partial

from ramax.core.domain import Domain
from ramax.errors import DataError, DomainMismatchError, FoldError, SpaceNotFoundError
from ramax.runtime.core import Core, SpaceLike
from ramax.runtime.findings import Findings, SpaceReport
from ramax.runtime.link_check import LinkCheck
from ramax.runtime.log_check import LogCheck
from ramax.runtime.pstate_check import PstateCheck
from ramax.runtime.snapshot_check import check_snapshots
from ramax.runtime.text_check import TextCheck
from ramax.storage import spaces
from ramax.values import ChainHead, Progress, Space

OnProgress = Callable[[Space, Progress], object]

NO_DOMAIN = "no domain was given"


async def verify(
    core: Core,
    space: SpaceLike | None = None,
    domain: Domain | None = None,
    progress: OnProgress | None = None,
    anchor: ChainHead | None = None,
) -> AsyncIterator[SpaceReport]:
    """Verify one space, or each, hidden ones too, by id; yield a report as each is done.

    Memory is bounded by pages, and for the new fold by ``rebuild_memory`` of `connect`.

    Args:
        domain: Folds the events anew; without it the pstate is not compared. Of several spaces,
            those whose pstate is the fold of other domains are not compared either.
        progress: Called after each page with events done: twice each where there is a domain.
        anchor: A hash of the chain of ``space`` that was kept elsewhere.

    Raises:
        SpaceNotFoundError: There is no such space.
        DomainMismatchError: The pstate of ``space`` is the fold of other domains.
        StorageError: The database failed.
    """
    core.check_caller()
    if domain is not None:
        domain.freeze()
    if space is not None:
        yield await verify_space(core, await core.present(space), domain, progress, anchor)
        return
    for each in await core.read(partial(spaces.list_all, branch_id=await core.branch())):
        try:
            yield await _Verification(core, each, domain, progress).run(strict=False)
        except SpaceNotFoundError:
            continue  # deleted meanwhile


async def verify_space(
    core: Core,
    space: Space,
    domain: Domain | None,
    progress: OnProgress | None = None,
    anchor: ChainHead | None = None,
) -> SpaceReport:
    """Verify one space; see `verify`."""
    return await _Verification(core, space, domain, progress, anchor).run(strict=True)


class _Verification:
    """The order of steps in one space."""

    def __init__(
        self,
        core: Core,
        space: Space,
        domain: Domain | None,
        progress: OnProgress | None,
        anchor: ChainHead | None = None,
    ) -> None:
        self._core, self._space, self._domain = core, space, domain
        self._anchor = anchor
        self._progress, self._started = progress, time.monotonic()
        self._findings = Findings()
        self._compared: int | None = None
        self._not_compared: str | None = NO_DOMAIN

    async def run(self, *, strict: bool) -> SpaceReport:
        """Verify; ``strict``: a pstate of other domains is an error."""
        if (watch := self._core.watch) is None:
            return await self._run(strict=strict)
        with watch.operation("verify", self._space.space_name) as operation:
            report = await self._run(strict=strict)
            operation.facts["events"] = report.event_count
            return report

    async def _run(self, *, strict: bool) -> SpaceReport:
        page = self._core.options.page
        log = LogCheck(self._space, self._findings, page, self._domain, self._anchor)
        if self._space.space_id:  # `default` before its first write has nothing
            await self._core.read(log.begin)
            while await self._core.read(log.read_page):
                self._tell(log.event_count, log.last_sequence)
            while await self._core.read(log.tags.check_index):
                pass
            await self._core.read(log.finish)
            texts = TextCheck(self._space, self._findings, page)
            while await self._core.read(texts.compare_page):
                pass
            if self._domain is not None:
                await self._compare(self._domain, log, strict=strict)
        return SpaceReport(
            self._space,
            log.event_count,
            log.last_sequence,
            log.checkpoint,
            self._compared,
            self._not_compared,
            log.chain.checked,
            tuple(self._findings.named),
            self._findings.count,
        )

    async def _compare(self, domain: Domain, log: LogCheck, *, strict: bool) -> None:
        options, read = self._core.options, self._core.read_whole
        check = PstateCheck(
            self._space, domain, self._findings, options.page, options.rebuild_memory
        )
        try:
            await read(check.begin)
            while await read(check.fold_page):
                self._tell(log.event_count + check.folded, log.last_sequence)
            while await read(check.compare_page):
                pass
            links = LinkCheck(self._space, domain.schema, self._findings, options.page)
            while await read(links.compare_page):
                pass
            await check_snapshots(self._core, self._space, domain, self._findings)
        except DomainMismatchError as error:
            if strict:
                raise
            self._not_compared = str(error)
        except (FoldError, DataError) as error:
            self._findings.add("pstate", f"the events cannot be folded: {error}")
            self._not_compared = "the events cannot be folded"
        else:
            self._compared, self._not_compared = check.compared, None
        finally:
            check.close()

    def _tell(self, done: int, events: int) -> None:
        if self._progress is not None:
            total = events * (1 if self._domain is None else 2)
            self._progress(self._space, Progress(done, total, time.monotonic() - self._started))
