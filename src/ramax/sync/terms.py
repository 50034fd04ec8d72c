"""What a space manager is told once: how long it waits, and where it finds layers."""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field

from ramax.core.sync.backoff import Backoff
from ramax.errors import DataError
from ramax.runtime.content_store import ContentStore
from ramax.sync.layer import Layer, SpaceRef

LayersFor = Callable[[SpaceRef], Iterable[Layer] | Awaitable[Iterable[Layer]]]
Suffices = Callable[[ContentStore], Awaitable[bool]]


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds: how long a worker waits, and for what."""

    backoff: Backoff = Backoff()  # noqa: RUF009 - it is frozen
    secrets: float = 5.0
    """Between two looks whether secrets have changed here."""

    cursor: float = 1.0
    """Between two times that the cursor is written, while records flow."""


@dataclass(frozen=True, slots=True)
class Terms:
    """How a manager works; times in seconds."""

    load_timeout: float = 10.0
    flush_timeout: float = 5.0
    durability: frozenset[str] = frozenset()
    durability_timeout: float = 10.0
    suffices: Suffices | None = None
    pace: Pace = field(default_factory=Pace)

    def check_durability(self, layers: Iterable[Layer]) -> None:
        """Refuse a space without one of the layers that its commits must wait for.

        Raises:
            DataError: A name of ``durability`` is no layer of it.
        """
        missing = self.durability - {layer.layer_id for layer in layers}
        if missing:
            raise DataError("durability", sorted(missing), "names layers that the space lacks")
