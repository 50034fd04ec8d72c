"""Which part of the state an event changes: the application's, or that of one data type."""

from collections.abc import Iterable

from ramax.core.datatypes import find_type
from ramax.core.datatypes.datatype import DataType
from ramax.core.domain import OWN_TYPES, Domain
from ramax.core.mapping import WriteState
from ramax.core.state import SpaceState
from ramax.values import Event


def apply_event(domain: Domain, writer: WriteState, state: SpaceState, event: Event) -> None:
    """Fold one event and settle what it did.

    Events of the data types fold whatever the domain is, into keys that no domain sees: no
    rebuild, with whichever domain, loses them.

    Args:
        writer: The application's part of ``state``.

    Raises:
        DataError: The event is of a data type that this version of ramax does not know.
    """
    if event.event_type.startswith(OWN_TYPES):
        datatype = find_type(event.event_type)
        part = WriteState(state, datatype.schema, datatype.prefix)
        datatype.apply(part, event)
        part.settle()
    else:
        domain.apply(writer, event)
        writer.settle()


def apply_command(domain: Domain, state: SpaceState, events: Iterable[Event]) -> None:
    """Fold the events of one command, which stay or go together.

    Those of a data type that never changes a value in place settle once, after the last: a log's
    head is then packed for the batch, not for each entry.
    """
    if isinstance(domain, DataType) and domain.replaces:
        part = WriteState(state, domain.schema, domain.prefix)
        for event in events:
            domain.apply(part, event)
        part.settle()
    else:
        writer = WriteState(state, domain.schema)
        for event in events:
            apply_event(domain, writer, state, event)
