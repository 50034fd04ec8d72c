"""Runs the rules of a data type without a database."""

from ramax.core.domain import Domain
from ramax.core.fold import fold
from ramax.core.guard import Guard
from ramax.core.mapping import ReadState
from ramax.core.new_events import Causes
from ramax.core.unit import SpaceUnit
from ramax.values import Event
from tests.core._sources import Stored


class Rules:
    """One space, in memory: ``do`` runs a command, ``state`` is what it came to."""

    def __init__(self, datatype):
        self.datatype = datatype
        self.unit = SpaceUnit(1, "space", Guard(0, 0, 0, 0, None), Stored())
        self.now = 0

    def do(self, command, params):
        """Run a command and return the payloads of its events."""
        self.now += 1
        rows = self.unit.execute(self.datatype, command, params, Causes(), self.now)
        return [(row.event_type, row.entity_id) for row in rows]

    @property
    def state(self):
        return ReadState(self.unit.state, self.datatype.schema, self.datatype.prefix).copy()

    def refolded(self):
        """Return what a rebuild makes of the events."""
        from ramax.core.event_row import as_applied

        unit = SpaceUnit(1, "space", Guard(0, 0, 0, 0, None), Stored())
        events: list[Event] = [as_applied(row) for row in self.unit.rows]
        fold(Domain("other"), unit.state, events, "space")
        return ReadState(unit.state, self.datatype.schema, self.datatype.prefix).copy()
