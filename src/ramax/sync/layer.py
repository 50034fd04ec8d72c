"""What a layer is: another place that holds a space, to be written to, and maybe to be heard."""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from ramax.core.sealed import SealedSet
from ramax.core.sync.record import EventRecord
from ramax.core.sync.vector import Vector


@dataclass(frozen=True, slots=True)
class SpaceRef:
    """Which space is meant: its name here, and the id that all of its replicas know it by."""

    name: str
    space_uid: bytes | None = None
    """None: not known yet; the layer says it, or the primary makes one."""

    origin: bytes | None = None
    """Who asks: the origin under which this replica writes. None: it only reads."""


@dataclass(frozen=True, slots=True)
class LayerInfo:
    """What a layer says when it is opened."""

    space_uid: bytes | None
    """None: it does not hold the space yet, and takes what `Layer.write` brings."""

    epoch: bytes | None
    """Changes when the layer was reset or restored; None for one that cannot tell."""

    max_records: int = 500
    """The most that one `Layer.write` takes."""

    max_bytes: int = 1 << 20
    """The most that the payloads of one `Layer.write` add up to; one record may exceed it."""

    origins: frozenset[bytes] | None = None
    """Whose events it takes. None: everybody's; empty: nobody's, it is only read."""

    secrets: bool = True
    """Whether it gives its sealed secrets, and takes ours unless it is only read."""

    @property
    def takes_secrets(self) -> bool:
        """Whether it takes sealed secrets."""
        return self.secrets and self.origins != frozenset()


@dataclass(frozen=True, slots=True)
class Refused:
    """A record that a layer did not take, for good: it is not sent again."""

    uid: bytes
    code: str
    reason: str


@dataclass(frozen=True, slots=True)
class Written:
    """What became of a `Layer.write`: where the layer is now, as a whole vector."""

    vector: Vector
    duplicates: int = 0
    refused: tuple[Refused, ...] = ()


@dataclass(frozen=True, slots=True)
class Incoming:
    """What `TwoWayLayer.changes` yields: records, or a sign that the listener has caught up."""

    records: tuple[EventRecord, ...] = ()
    caught_up: bool = False
    secrets_changed: bool = False


@runtime_checkable
class Layer(Protocol):
    """One-way: a backup, an export, a place to load from.

    An object serves one space and one event loop. `open` comes first and may come again after an
    error; every verb may raise a `LayerError`, whose ``retryable`` says whether to come back.
    """

    layer_id: str
    """Stable across restarts: cursors and status are kept under it; 1 to 255 UTF-8 bytes."""

    two_way: bool

    async def open(self, ref: SpaceRef) -> LayerInfo:
        """Connect, and say what is there."""
        ...

    async def vector(self) -> Vector:
        """Return how far the layer is, by origin."""
        ...

    def read(self, since: Vector, limit: int = 500) -> AsyncGenerator[Sequence[EventRecord]]:
        """Yield all records beyond ``since`` in pages; those of an origin in order, gapless."""
        ...

    async def write(self, records: Sequence[EventRecord]) -> Written:
        """Take records; what is there already is a duplicate and no error.

        A place that holds nothing holds the space of `open` from then on, also if there are none.

        Raises:
            GapError: Records of an origin before these are missing; it says what is wanted.
            ForkError: A record is there with other content; nothing is written.
        """
        ...

    async def load_secrets(self) -> SealedSet:
        """Return sealed secrets and wrapped keys; nothing there is an empty set."""
        ...

    async def save_secrets(self, sealed: SealedSet) -> None:
        """Take what wins over what is there, per name; nothing is erased."""
        ...

    async def aclose(self) -> None:
        """Let go of everything; again is no error."""
        ...


@runtime_checkable
class TwoWayLayer(Layer, Protocol):
    """One whose changes by others come back."""

    def changes(self, since: Vector) -> AsyncGenerator[Incoming]:
        """Yield what is beyond ``since``, then what comes; ends, or raises, on a disconnect."""
        ...
