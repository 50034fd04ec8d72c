"""What the data types have in common: names of events and entities, and a part of the pstate."""

from collections.abc import Sequence
from typing import Any, ClassVar, Final

from ramax.core.domain import OWN_TYPES, Domain, State
from ramax.core.keys import OWN
from ramax.core.limits import check_name
from ramax.errors import DataError
from ramax.values import Event

MAX_NAME_BYTES: Final = 900
"""Of a key, or the name of a cell: entity ids and index entries are longer, and end at 1,024."""


class DataType(Domain):
    """The events ``ramax.<name>.…``, and the keys under a prefix of their own that they fold into.

    A space does not remember it among its domains: it folds in every space, always.

    Args:
        name: Of the type.
        replaces: Applicators put new values and never change in place what is there.
        alone: What the events of an entity come to depends on nothing else, nobody else touches it,
            and ``replaces``. Late events of it are merged in memory, by taking back what came after
            the first of them (`ramax.core.rewind`).
    """

    own: ClassVar[bool] = True

    def __init__(self, name: str, *, replaces: bool = False, alone: bool = False) -> None:
        super().__init__(f"{OWN_TYPES}{name}")
        self.replaces, self.alone = replaces or alone, alone
        self.prefix = f"{OWN}{name}:"
        self._entities = f"{self.name}:"

    def type(self, what: str) -> str:
        """Return the event type of what happened."""
        return f"{self.name}.{what}"

    def id_of(self, name: str) -> str:
        """Return the entity id of something of this type."""
        return f"{self._entities}{name}"

    def name_of(self, event: Event) -> str:
        """Return what an event of this type is about."""
        return self.own_name(event.entity_id)

    def own_name(self, entity_id: str) -> str:
        """Return the name in an entity id of this type."""
        return entity_id[len(self._entities) :]

    def keys_of(self, _entity_id: str) -> Sequence[str] | None:
        """Return every key that events of an entity touch, and no others do.

        None: it is not that simple; unless entities stand `alone`, what folds one of its events
        anew folds all of the space.
        """
        return None

    def apply(self, state: State, event: Event) -> None:
        """Fold one event into this type's part of the state.

        Raises:
            DataError: A newer ramax wrote it: skipping it would lose data.
        """
        if event.event_type not in self._handlers and "*" not in self._handlers:
            raise DataError("event type", event.event_type, "is not known to this version of ramax")
        super().apply(state, event)


def check_own_name(value: Any, what: str) -> str:
    """Return a key, or a cell's name: 1 to 900 UTF-8 bytes, no NUL; else `DataError`."""
    check_name(value, what, MAX_NAME_BYTES)
    return str(value)
