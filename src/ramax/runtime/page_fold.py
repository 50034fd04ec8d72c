"""Folding a page of the log over what was folded before."""

from collections.abc import Sequence

from ramax.core.domain import Domain
from ramax.core.fold import fold
from ramax.core.state import ReadFailedError, Source, SpaceState
from ramax.errors import SpaceNotFoundError
from ramax.runtime.complaints import log_complaints
from ramax.storage.events import applied_events
from ramax.storage.executors import Executor, Row
from ramax.storage.reads import Facts, read_facts
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
