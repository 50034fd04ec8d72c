import logging

from ramax import SchemaError
from ramax.core.state import SpaceState
from ramax.runtime.complaints import log_complaints
from tests.core._sources import Stored


def test_each_entity_and_field_is_one_line_with_the_first_value_and_a_count(caplog):
    state = SpaceState(Stored())
    for number in range(3):
        state.complain(SchemaError("card", "level", f"card:{number}", "x", "must be int"))
    state.complain(SchemaError("deck", "", "deck:1", 1, "must be dict"))
    with caplog.at_level(logging.WARNING, "ramax.schema"):
        log_complaints("s", state)
        log_complaints("s", state)  # told once
    assert [record.getMessage() for record in caplog.records] == [
        "space 's': field 'level' of card 'card:0' 'x': must be int, and 2 more like it",
        "space 's': deck 'deck:1' 1: must be dict",
    ]
