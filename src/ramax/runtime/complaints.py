"""Tells the operator of values that do not fit what is declared, where that is only a warning."""

import logging

from ramax.core.state import SpaceState

logger = logging.getLogger("ramax.schema")


def log_complaints(space_name: str, state: SpaceState) -> None:
    """Log what a unit of work wrote although it does not fit: one line per entity and field."""
    for first, times in state.complaints.values():
        more = f", and {times - 1} more like it" if times > 1 else ""
        logger.warning("space %r: %s%s", space_name, first, more)
    state.complaints.clear()
