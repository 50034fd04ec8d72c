"""What the workers of the layers of a space ask of that space."""

from typing import Literal, Protocol, runtime_checkable

from ramax.storage.layer_cursors import LayerCursor
from ramax.sync.replica import Replica
from ramax.sync.secret_flow import SecretExchange
from ramax.sync.status import SyncEvent
from ramax.sync.terms import Pace

Outcome = Literal["absent", "pulled"] | Exception
"""What a layer had of a space: nothing, something that is here now, or it failed."""


@runtime_checkable
class Home(Protocol):
    """The open space, as its workers see it."""

    name: str
    pace: Pace
    secrets: SecretExchange | None

    async def replica_of(self, space_uid: bytes | None) -> Replica:
        """Return the replica, made for this id if the space is not here yet."""
        ...

    async def save(self, cursor: LayerCursor) -> None:
        """Remember a cursor."""
        ...

    def tell(self, event: SyncEvent) -> None:
        """Pass on what has happened."""
        ...

    def outcome(self, layer_id: str, outcome: Outcome) -> None:
        """Hear what became of looking for the space in a layer."""
        ...

    def clock(self) -> int:
        """Return the time in UTC microseconds."""
        ...
