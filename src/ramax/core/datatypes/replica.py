"""What replicas record about records: that one of them is not to be folded by anybody.

Neither event changes the state. A discarded record keeps its place in the vector of its origin, and
whatever came of it is folded without it (`ramax.storage.canonical`).
"""

from typing import Final

from ramax.core.datatypes.datatype import DataType
from ramax.core.domain import State
from ramax.core.sealed import check_id
from ramax.core.sync.record import DISCARDED, REFUSED
from ramax.values import Event, NewEvent

REPLICA: Final = DataType("replica")


@REPLICA.applicator(DISCARDED)
def _leaves_out(_state: State, event: Event) -> None:
    """Change nothing: what the record did is left out when the space is folded."""
    if event.entity_id != entity_of(event.payload["uid"]):
        raise ValueError(event.entity_id)


@REPLICA.applicator(REFUSED)
def _changes_nothing(_state: State, _event: Event) -> None:
    """Change nothing: it was never folded."""


def discarded(uid: bytes, code: str, reason: str) -> NewEvent:
    """Return the event by which all replicas leave a record out.

    Args:
        uid: Of the record.
        code: Why it was refused.
        reason: The same in words.
    """
    said = {"uid": uid, "code": code, "reason": reason}
    return NewEvent(DISCARDED, said, entity_id=entity_of(uid))


def entity_of(uid: bytes) -> str:
    """Return the entity that events about a record have."""
    check_id(uid, "uid")
    return REPLICA.id_of(uid.hex())
