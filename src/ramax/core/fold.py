"""Folding recorded events into a state, and whose fold a pstate is."""

from collections.abc import Callable, Iterable

from ramax.core.domain import OWN_TYPES, Domain
from ramax.core.folding import apply_event
from ramax.core.mapping import WriteState
from ramax.core.state import SpaceState, StateUnavailableError
from ramax.errors import DomainMismatchError, FoldError
from ramax.values import Event


def fold(domain: Domain, state: SpaceState, events: Iterable[Event], space_name: str) -> int:
    """Apply events in order and keep what they wrote.

    Returns:
        How many events there were.

    Raises:
        FoldError: An applicator failed; it names the event, and nothing since the last call of
            ``state.keep`` stays.
    """
    writer = WriteState(state, domain.schema)
    count = 0
    for event in events:
        try:
            _apply(domain, writer, state, event)
        except StateUnavailableError:
            raise
        except Exception as error:
            state.discard()
            raise FoldError(space_name, event.space_sequence, event.event_type, error) from error
        count += 1
    state.keep()
    return count


def _apply(domain: Domain, writer: WriteState, state: SpaceState, event: Event) -> None:
    apply_event(domain, writer, state, event)
    if state.failure is not None:  # the applicator caught what was not for it
        raise state.failure


def check_fit(
    domain: Domain,
    recorded: frozenset[str] | None,
    folded: int,
    space_name: str,
    types_up_to: Callable[[int], frozenset[str]],
) -> frozenset[str]:
    """Compare a handle's domain with those whose fold the pstate is (ADR-0012).

    Args:
        recorded: Names that the space remembers; None where it was never recorded.
        folded: The sequence up to which the pstate is folded; 0 fits every domain.
        types_up_to: Asked only where the domain brings a part that is not recorded yet: which
            event types were folded without it.

    Returns:
        The names to remember from now on.

    Raises:
        DomainMismatchError: The handle lacks a recorded domain, or brings one that should have
            folded events which are past.
    """
    if recorded == domain.names or recorded is None or folded == 0:
        return domain.names
    if missing := recorded - domain.names:
        raise DomainMismatchError(space_name, missing, "its pstate was folded by")
    added = domain.names - recorded
    own, takes_others = domain.handled_types(added)
    past = {each for each in types_up_to(folded) if not each.startswith(OWN_TYPES)}
    late = past & own if not takes_others else past - (domain.event_types - own)
    if late:
        raise DomainMismatchError(
            space_name, added, f"events of type {', '.join(sorted(late))} were folded without"
        )
    return domain.names
