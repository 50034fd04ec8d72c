"""The state that a command meets after certain events, without a database."""

from datetime import UTC, datetime
from typing import Any

from ramax.core.domain import Domain
from ramax.core.guard import Guard
from ramax.core.mapping import ReadState
from ramax.core.new_events import Causes
from ramax.core.state import NothingStored
from ramax.core.unit import SpaceUnit
from ramax.values import NewEvent, to_micros

_SOME_TIME = datetime(2024, 1, 1, tzinfo=UTC)


def given(domain: Domain, *new_events: NewEvent, at: datetime = _SOME_TIME) -> dict[str, Any]:
    """Fold events as a store would, and return the state as a plain dict.

    Call a command with it and compare what comes back: commands and applicators are functions.
    To see what those events do, fold them as well: ``given(domain, *past, *events)``.

    Args:
        new_events: From the first event of a space on, as commands return them.
        at: The timestamp of every event, aware.

    Raises:
        DataError: An event breaks a rule, or a value cannot be stored; as a store would raise.
        MisuseError: An applicator returned something.
        Exception: Whatever an applicator raises.
    """
    unit = SpaceUnit(1, "given", Guard(0, 0, 0, 0, None), NothingStored())
    unit.execute(domain, lambda _state, _params: new_events, None, Causes(), to_micros(at))
    return ReadState(unit.state, domain.schema).copy()
