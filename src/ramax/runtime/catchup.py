"""Catch-up: folding the events that the stored pstate lacks, page by page."""

from ramax.core.domain import Domain
from ramax.core.fold import check_fit
from ramax.core.guard import Guard
from ramax.errors import DomainMismatchError
from ramax.runtime.anew import Anew
from ramax.runtime.core import Core
from ramax.runtime.late import FoldAllError, Gap
from ramax.runtime.page_fold import facts_of, fold_rows
from ramax.runtime.projection_gap import project_missing
from ramax.storage.events import read_page
from ramax.storage.executors import Executor
from ramax.storage.inherit import inherit as inherited
from ramax.storage.lineage import base_of
from ramax.storage.locks import take_lock
from ramax.storage.reads import StoredSource, read_event_types
from ramax.values import Space


async def catch_up(core: Core, space: Space, domain: Domain) -> int:
    """Fold what the pstate lacks, a page per transaction, up to the head.

    Returns:
        How many events were folded; 0 if there was nothing to do.

    Raises:
        FoldError: An applicator failed; earlier pages stay folded.
        DomainMismatchError: The pstate is another domain's fold.
    """
    if core.watch is None:
        return await _catch_up(core, space, domain)
    with core.watch.operation("catch_up", space.space_name) as operation:
        folded = await _catch_up(core, space, domain)
        operation.facts["events"] = folded
        return folded


async def _catch_up(core: Core, space: Space, domain: Domain) -> int:
    new = Anew(domain, space, core.options.page, core.options.rebuild_memory)
    try:
        return await _fold_pages(core, space, domain, new)
    finally:
        new.close()


async def _fold_pages(core: Core, space: Space, domain: Domain, new: Anew) -> int:
    """Fold page by page, and all of the space into ``new`` where late events ask for that."""
    folded = 0
    while True:
        try:
            page = await core.turns.locked(
                f"catching up space {space.space_name!r}",
                lambda ex: fold_gap(ex, space, domain, core.options.page, core.clock(), new),
            )
        except FoldAllError:
            while await core.read_whole(new.fold_page):  # beside live writes, like a rebuild
                pass
            continue
        folded += page
        core.cache.forget(space.space_id)
        if page:
            core.tell([space.space_id])
        if page < core.options.page:
            return folded


async def inherit(core: Core, space: Space) -> bool:
    """Give a fork that has no pstate yet a copy of its parent's; False where that has moved on."""

    def work(ex: Executor) -> bool:
        take_lock(ex, space.space_id, space.space_name)
        return inherited(ex, space.space_id, facts_of(ex, space).guard, core.clock())

    copied = await core.turns.locked(f"copying space {space.space_name!r}", work)
    core.cache.forget(space.space_id)
    return copied


async def catch_up_all(core: Core, space: Space, domain: Domain) -> None:
    """As `catch_up`, and then project what inline projections of the domain lack.

    Raises:
        ProjectionError: A handler failed; earlier pages stay.
    """
    await catch_up(core, space, domain)
    if domain.projections.inline:
        await project_missing(core, space, domain)


def check_all_there(domain: Domain, guard: Guard, space_name: str) -> None:
    """Refuse to fold what a fork inherited without a domain that its parent was folded by.

    Raises:
        DomainMismatchError: It lacks one.
    """
    if missing := (guard.domains or frozenset()) - domain.names:
        raise DomainMismatchError(space_name, missing, "its parent's pstate was folded by")


def fold_gap(  # noqa: PLR0917 - what a page of a fold takes
    ex: Executor, space: Space, domain: Domain, limit: int, now: int, beside: Anew | None = None
) -> int:
    """Fold up to ``limit`` missing events in the transaction of ``ex``; return how many.

    Raises:
        FoldAllError: Late events ask for a fold of all of the space, which ``beside``, if there is
            one, has not begun.
    """
    take_lock(ex, space.space_id, space.space_name)
    guard = facts_of(ex, space).guard
    if guard.checkpoint < base_of(ex, space.space_id):
        if not guard.checkpoint and inherited(ex, space.space_id, guard, now):
            guard = facts_of(ex, space).guard
        else:
            check_all_there(domain, guard, space.space_name)
    names = check_fit(
        domain,
        guard.domains,
        # one that has to be folded anew is nobody else's for that
        guard.checkpoint if guard.replica is None else max(guard.checkpoint, 1),
        space.space_name,
        lambda upto: read_event_types(ex, space.space_id, upto),
    )
    rows = read_page(ex, space.space_id, after=guard.checkpoint, limit=limit)
    if not rows:
        return 0
    gap = Gap(ex, space, domain, guard, now, beside)
    if late := gap.late(rows):
        return gap.fold_late(rows, late)
    source = StoredSource(ex, space.space_id)
    state = fold_rows(domain, source, gap.as_folded(rows), space, guard.indexed)
    gap.write(state, rows[-1], names)
    return len(rows)
