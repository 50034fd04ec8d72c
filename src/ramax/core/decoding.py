"""From a stored value to what the user of a handle gets: every read of pstate passes here."""

from typing import Any

from ramax.core.domain import Domain
from ramax.core.state import Packed, unpack


class Decoding:
    """How values of a space are read through a handle with this domain; None has no say in it."""

    __slots__ = ("domain",)

    def __init__(self, domain: Domain | None) -> None:
        self.domain = domain

    def value(self, key: str, packed: Packed) -> Any:
        """Return the value of ``key``; every call makes one that nobody else holds.

        Raises:
            CodecError: The stored bytes cannot be read.
        """
        del key  # which entity it is, where the domain declares any
        return unpack(packed)
