"""Passes on what units of work found out about shapes: older ones, and such as do not fit."""

import logging
from collections.abc import Callable, Mapping

from ramax.core.schema import Schema
from ramax.core.state import SpaceState
from ramax.core.unit import SpaceUnit

logger = logging.getLogger("ramax.schema")

OnOutdated = Callable[[int, str, Mapping[str, Schema]], None]
"""Hears of keys of a space that were read in an older shape, with the schemas of today's."""


def nobody_cares(_space_id: int, _space_name: str, _keys: Mapping[str, Schema]) -> None:
    """Leave values in the shape in which they are stored."""


def notice(units: Mapping[int, SpaceUnit], on_outdated: OnOutdated) -> None:
    """Log what does not fit, and tell of what is in an older shape."""
    for space_id, unit in units.items():
        state = unit.state
        if state.complaints:
            log_complaints(unit.space_name, state)
        if state.outdated:
            on_outdated(space_id, unit.space_name, state.outdated)


def log_complaints(space_name: str, state: SpaceState) -> None:
    """Log what a unit of work wrote although it does not fit: one line per entity and field."""
    for first, times in state.complaints.values():
        more = f", and {times - 1} more like it" if times > 1 else ""
        logger.warning("space %r: %s%s", space_name, first, more)
    state.complaints.clear()
