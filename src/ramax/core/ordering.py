"""In which order the events of a replicated space fold: that of all replicas, or as they come."""

from typing import Literal, get_args

from ramax.errors import DataError

Order = Literal["any", "canonical"]


def check_order(value: object, what: str) -> Order:
    """Return an order; raise DataError for anything else."""
    if value == "any":
        return "any"
    if value == "canonical":
        return "canonical"
    raise DataError(what, value, f"is one of {', '.join(map(repr, get_args(Order)))}")
