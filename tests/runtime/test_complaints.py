import logging

from ramax import SchemaError
from ramax.core.guard import Guard
from ramax.core.schema import Schema
from ramax.core.state import SpaceState
from ramax.core.unit import SpaceUnit
from ramax.runtime.complaints import log_complaints, nobody_cares, notice
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


def test_each_space_tells_once_of_what_is_in_an_older_shape(caplog):
    told, units = [], {}
    for number in (1, 2, 3):
        units[number] = SpaceUnit(number, f"s{number}", Guard(0, 0, 0, 0, None), Stored())
    units[1].state.outdated["a"] = schema = Schema()
    units[2].state.complain(SchemaError("card", "level", "card:1", "x", "must be int"))
    with caplog.at_level(logging.WARNING, "ramax.schema"):
        notice(units, lambda *what: told.append(what))
        notice({3: units[3]}, nobody_cares)
    assert told == [(1, "s1", {"a": schema})]
    assert caplog.messages == ["space 's2': field 'level' of card 'card:1' 'x': must be int"]
