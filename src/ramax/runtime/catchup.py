"""Catch-up: folding the events that the stored pstate lacks, page by page."""

from collections.abc import Sequence

from ramax.core.domain import Domain
from ramax.core.fold import check_fit, fold
from ramax.core.state import ReadFailedError, Source, SpaceState
from ramax.core.unit import Guard, SpaceWrite
from ramax.errors import DomainMismatchError, SpaceNotFoundError
from ramax.runtime.complaints import log_complaints
from ramax.runtime.core import Core
from ramax.runtime.projecting import project_gap
from ramax.storage.backend import write_plan
from ramax.storage.events import applied_events, read_page
from ramax.storage.executors import Executor, Row
from ramax.storage.inherit import inherit as inherited
from ramax.storage.lineage import base_of
from ramax.storage.links import index_rows
from ramax.storage.plan import WritePlan
from ramax.storage.reads import Facts, StoredSource, read_event_types, read_facts
from ramax.storage.spaces import domains_row, take_lock
from ramax.storage.text_index import search_rows
from ramax.values import Space


def facts_of(ex: Executor, space: Space) -> Facts:
    """Read the guard of a space; raise SpaceNotFoundError where it is gone."""
    found = read_facts(ex, {space.space_id: ()}).get(space.space_id)
    if found is None:
        raise SpaceNotFoundError(space.space_name)
    return found


def fold_rows(
    domain: Domain, source: Source, rows: Sequence[Row], space: Space, index: str | None = None
) -> SpaceState:
    """Fold a page of the log; raise FoldError, or what failed behind the mapping.

    Args:
        index: Which fields have an index of their references that is to be kept.
    """
    state = SpaceState(source)
    state.index = index
    try:
        events = applied_events(rows, domain, space.space_name)
        fold(domain, state, events, space.space_name)
    except ReadFailedError as failure:
        raise failure.error from failure
    if state.complaints:
        log_complaints(space.space_name, state)
    return state


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
    folded = 0
    while True:
        page = await core.writer.locked(
            f"catching up space {space.space_name!r}",
            lambda ex: fold_gap(ex, space, domain, core.options.page, core.clock()),
        )
        folded += page
        core.cache.forget(space.space_id)
        if page:
            core.writer.on_commit([space.space_id])
        if page < core.options.page:
            return folded


async def inherit(core: Core, space: Space) -> bool:
    """Give a fork that has no pstate yet a copy of its parent's; False where that has moved on."""

    def work(ex: Executor) -> bool:
        take_lock(ex, space.space_id, space.space_name)
        return inherited(ex, space.space_id, facts_of(ex, space).guard, core.clock())

    copied = await core.writer.locked(f"copying space {space.space_name!r}", work)
    core.cache.forget(space.space_id)
    return copied


async def catch_up_all(core: Core, space: Space, domain: Domain) -> None:
    """As `catch_up`, and then project what inline projections of the domain lack.

    Raises:
        ProjectionError: A handler failed; earlier pages stay.
    """
    await catch_up(core, space, domain)
    if not domain.projections.inline:
        return
    while await core.writer.locked(
        f"projecting space {space.space_name!r}",
        lambda ex: project_gap(ex, space, domain, core.options.page, core.clock()),
    ):
        core.cache.forget(space.space_id)


def check_all_there(domain: Domain, guard: Guard, space_name: str) -> None:
    """Refuse to fold what a fork inherited without a domain that its parent was folded by.

    Raises:
        DomainMismatchError: It lacks one.
    """
    if missing := (guard.domains or frozenset()) - domain.names:
        raise DomainMismatchError(space_name, missing, "its parent's pstate was folded by")


def fold_gap(ex: Executor, space: Space, domain: Domain, limit: int, now: int) -> int:
    """Fold up to ``limit`` missing events in the transaction of ``ex``; return how many."""
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
        guard.checkpoint,
        space.space_name,
        lambda upto: read_event_types(ex, space.space_id, upto),
    )
    rows = read_page(ex, space.space_id, after=guard.checkpoint, limit=limit)
    if not rows:
        return 0
    state = fold_rows(domain, StoredSource(ex, space.space_id), rows, space, guard.indexed)
    state.keep_index(domain.schema)
    puts, deletes = state.changes()
    write = SpaceWrite(
        space.space_id,
        guard,
        puts=puts,
        deletes=deletes,
        last_timestamp=max(now, guard.last_timestamp),
        checkpoint=rows[-1][2],
        checkpoint_event_id=rows[-1][0],
        domains=names if names != guard.domains else None,
        version_step=1,
        links=state.links,
        index_lost=state.index != guard.indexed,
    )
    extras = [domains_row(space.space_id, names)] if write.domains is not None else []
    extras += [*index_rows([write]), *search_rows(ex.tables.dialect, [write])]
    write_plan(ex, WritePlan([write], b"", now, extras))
    return len(rows)
