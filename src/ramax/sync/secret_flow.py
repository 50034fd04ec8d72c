"""The sealed secrets of a space go to a layer, and come from it."""

from typing import Any, Protocol

from ramax.core.sealed import SealedSet
from ramax.sync.layer import Layer, LayerInfo


class SecretExchange(Protocol):
    """What gives and takes the sealed secrets of a space."""

    async def export(self) -> SealedSet:
        """Return all of them, nobody can read them."""
        ...

    async def merge(self, given: SealedSet) -> Any:
        """Take what wins."""
        ...


class SecretFlow:
    """Between one space and one layer; what the layer was given is not given again."""

    def __init__(self, layer: Layer) -> None:
        self._layer = layer
        self._sent: SealedSet | None = None
        self._gives = self._takes = True

    def opened(self, info: LayerInfo) -> None:
        """Note what the layer does with secrets."""
        self._gives, self._takes = info.secrets, info.takes_secrets

    async def take(self, exchange: SecretExchange | None) -> None:
        """Merge what the layer has; nothing there erases nothing here."""
        if exchange is not None and self._gives:
            found = await self._layer.load_secrets()
            if found != SealedSet():
                await exchange.merge(found)

    async def give(self, exchange: SecretExchange | None) -> None:
        """Write to the layer what is here, if it has changed since."""
        if exchange is not None and self._takes:
            ours = await exchange.export()
            if ours not in (self._sent, SealedSet()):
                await self._layer.save_secrets(ours)
                self._sent = ours

    def forget(self) -> None:
        """Give everything again: the layer has lost what it had."""
        self._sent = None
