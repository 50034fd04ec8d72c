"""The rules of the data types that every space has: their commands and applicators, pure."""

from typing import Final

from ramax.core.datatypes.cells import CELLS
from ramax.core.datatypes.datatype import DataType
from ramax.core.datatypes.json import JSON
from ramax.core.datatypes.kv import KV
from ramax.core.datatypes.log import LOG
from ramax.core.datatypes.replica import REPLICA
from ramax.core.datatypes.text import TEXT
from ramax.core.datatypes.tree import TREE
from ramax.core.datatypes.vectors import VECTORS
from ramax.errors import DataError

TYPES: Final = {each.name: each for each in (KV, LOG, CELLS, JSON, VECTORS, TREE, TEXT, REPLICA)}

for _each in TYPES.values():
    _each.freeze()


def find_type(event_type: str) -> DataType:
    """Return the data type that an event type ``ramax.<name>.<what>`` belongs to.

    Raises:
        DataError: This version of ramax does not know it.
    """
    found = TYPES.get(".".join(event_type.split(".", 2)[:2]))
    if found is None:
        raise DataError("event type", event_type, "is not known to this version of ramax")
    return found
