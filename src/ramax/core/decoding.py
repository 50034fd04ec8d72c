"""From a stored value to what the user of a handle gets: every read of pstate passes here."""

from collections.abc import Callable
from typing import Any

from ramax.core.codec import encode
from ramax.core.domain import Domain
from ramax.core.entity import Link
from ramax.core.schema import NO_SCHEMA, Schema
from ramax.core.state import Packed, unpack
from ramax.errors import DataError


def _forget(_key: str) -> None:
    """Nobody writes back what was read in an older shape."""


class Decoding:
    """How values of a space are read through a handle with this domain; None has no say in it.

    Args:
        outdated: Told each key whose value is stored in an older shape than the schema's.
    """

    __slots__ = ("_outdated", "_schema", "domain")

    def __init__(self, domain: Domain | None, outdated: Callable[[str], object] = _forget) -> None:
        self.domain, self._outdated = domain, outdated
        self._schema = NO_SCHEMA if domain is None else domain.schema

    def value(self, key: str, packed: Packed) -> Any:
        """Return the value of ``key`` in the shape that the domain declares.

        Every call makes a value that nobody else holds.

        Raises:
            CodecError: The stored bytes cannot be read.
            SchemaError: It does not fit what is declared, or a migration failed.
        """
        stored = unpack(packed)
        if not self._schema.declares:
            return stored
        value = self._schema.read(key, stored)
        if value is not stored:
            self._outdated(key)
        return value


def renewed(schema: Schema, key: str, packed: Packed) -> bytes | None:
    """Return the bytes of a stored value in today's shape; None where it has that already.

    Raises:
        CodecError: The stored bytes cannot be read.
        SchemaError: It does not fit what is declared, or a migration failed.
    """
    stored = unpack(packed)
    value = schema.read(key, stored)
    if value is stored:
        return None
    new = encode(value, f"migrated value of {key!r}")
    return None if new == packed else new


def links_in(schema: Schema, key: str, packed: Packed) -> frozenset[Link] | None:
    """Return what a stored value refers to in fields that have an index; None where none can.

    A value that cannot be read refers to nothing.
    """
    entity = schema.entity_of(key)
    if entity is None or not entity.indexed:
        return None
    try:
        return entity.links(entity.read(key, unpack(packed)))
    except DataError:
        return frozenset()
