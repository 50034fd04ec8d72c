"""What an event is about, by its entity and type; and back."""

import pytest

from ramax.core.datatypes import cells, json, kv, log, vectors
from ramax.core.merging.things import Thing, thing_of


@pytest.mark.parametrize(
    ("entity_id", "event_type", "thing"),
    [
        ("card:1", "card.moved", Thing("entity", "card:1")),
        (kv.KV.id_of("a/b"), kv.PUT, Thing("kv", "a/b")),
        (cells.CELLS.id_of("c"), cells.SET, Thing("cells", "c")),
        (json.JSON.id_of("d"), json.CHANGED, Thing("json", "d")),
        (json.JSON.name, json.INDEX_CREATED, Thing("json_indexes", "")),
        (log.ENTITY, log.PREFIX + "noted", Thing("log", "entries")),
        (vectors.VECTORS.id_of("v"), vectors.CREATED, Thing("vectors", "v")),
        (vectors.VECTORS.id_of("v/k/2"), vectors.UPSERTED, Thing("vectors", "v", "k/2")),
    ],
)
def test_a_thing_names_its_entity(entity_id, event_type, thing):
    assert thing_of(entity_id, event_type) == thing
    assert thing.entity_id == entity_id
