"""What an event is about: the smallest thing that two sides can disagree on."""

from typing import Final, NamedTuple

from ramax.core.datatypes.cells import CELLS
from ramax.core.datatypes.json import JSON
from ramax.core.datatypes.kv import KV
from ramax.core.datatypes.log import LOG
from ramax.core.datatypes.vectors import CREATED, DROPPED, VECTORS
from ramax.core.domain import OWN_TYPES

ENTITY: Final = "entity"
INDEXES: Final = "json_indexes"
_SIMPLE: Final = {each.name: each.name[len(OWN_TYPES) :] for each in (KV, CELLS)}


class Thing(NamedTuple):
    """Something of a space that events are about.

    ``type`` is ``entity`` for an entity of the application, whose id is ``name``; else the name of
    a data type, and ``name`` the key, cell, document or collection. ``part`` is the key of a
    vector; None is the collection itself.
    """

    type: str
    name: str
    part: str | None = None

    @property
    def entity_id(self) -> str:
        """The id of the entity that its events are about."""
        if self.type == ENTITY:
            return self.name
        if self.type == INDEXES:
            return JSON.name
        if self.type == "log":
            return LOG.id_of(self.name)
        name = self.name if self.part is None else f"{self.name}/{self.part}"
        return f"{OWN_TYPES}{self.type}:{name}"


def thing_of(entity_id: str, event_type: str) -> Thing:
    """Return what an event is about."""
    datatype = ".".join(event_type.split(".", 2)[:2])
    if not event_type.startswith(OWN_TYPES):
        return Thing(ENTITY, entity_id)
    name = entity_id[len(datatype) + 1 :]
    if datatype in _SIMPLE:
        return Thing(_SIMPLE[datatype], name)
    if datatype == JSON.name:
        return Thing("json", name) if entity_id != JSON.name else Thing(INDEXES, "")
    if datatype == VECTORS.name and event_type not in {CREATED, DROPPED}:
        collection, _, key = name.partition("/")
        return Thing("vectors", collection, key)
    return Thing(datatype[len(OWN_TYPES) :], name)
