"""Decide which spaces an old database becomes, as the upgrade in place does.

Spaces that are registered stay what they are. Events of a space that is not registered keep it,
under a name made of its id. Rows that name no space go to the one of the caller's name. pstate of a
space that is not registered and has no events is what deleting it has left: an orphan.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from ramax.core.limits import validate_space_name


@dataclass(frozen=True, slots=True)
class Naming:
    """The names of the spaces that no registry names, and ``home`` for rows that name no space.

    ``home`` is 0 where no row needs one.
    """

    names: Mapping[int, str]
    home: int
    orphans: frozenset[int]


def name_spaces(
    registered: Mapping[int, str],
    with_events: Collection[int | None],
    with_pstate: Collection[int | None],
    space_name: str,
    *,
    has_registry: bool,
    highest_id: int,
) -> Naming:
    """Name what rows imply; None among the ids stands for rows that name no space."""
    implied = {*with_events} if has_registry else {*with_events, *with_pstate}
    names: dict[int, str] = {}
    for space_id in sorted(i for i in implied if i is not None and i not in registered):
        alone = len(implied) == 1 and not registered
        taken = {*registered.values(), *names.values()}
        names[space_id] = validate_space_name(space_name) if alone else _free(space_id, taken)
    homeless_events = None in with_events
    home = 0
    if homeless_events or None in with_pstate:
        home = _home({**registered, **names}, space_name, highest_id, share=not homeless_events)
        if home not in registered and home not in names:
            names[home] = validate_space_name(space_name)
    known = {*registered, *names}
    return Naming(names, home, frozenset(i for i in with_pstate if i is not None) - known)


def _home(known: Mapping[int, str], space_name: str, highest_id: int, *, share: bool) -> int:
    """The space of that name; for pstate alone, the only one there is; else a new one."""
    for space_id, name in known.items():
        if name == space_name or (share and len(known) == 1):
            return space_id
    return highest_id + 1


def _free(space_id: int, taken: Collection[str]) -> str:
    name = f"recovered-{space_id}"
    while name in taken:
        name += "-"
    return name
