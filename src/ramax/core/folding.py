"""Which part of the state an event changes: the application's, or that of one data type."""

from ramax.core.datatypes import find_type
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
