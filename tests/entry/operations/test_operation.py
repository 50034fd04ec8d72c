"""What an operation takes is checked before anything runs; `Database.call` says what it takes."""

import json

import pytest

from ramax import DataError, SpaceNameError
from ramax.entry.operations import OPERATIONS
from ramax.entry.operations.operation import SCHEMAS, Parameter
from tests._each import each


def test_every_operation_is_described_and_has_a_schema():
    for name, operation in OPERATIONS.items():
        assert operation.name == name
        assert operation.about.endswith(".")
        schema = operation.schema
        assert json.loads(json.dumps(schema)) == schema
        assert set(schema["required"]) <= set(schema["properties"])
        assert ("space" in schema["properties"]) is (
            operation.of_space or "space" in schema["required"]
        )


@pytest.mark.parametrize(
    ("kind", "right", "wrong"),
    [
        ("text", "a", 1),
        ("int", 1, True),
        ("bool", True, 1),
        ("map", {}, []),
        ("texts", ["a"], "a"),
        ("numbers", [1.0], "1"),
        ("patch", [{}], {}),
        ("time", "2024-01-01T00:00:00+00:00", "yesterday"),
        ("time", "2024-01-01T00:00:00Z", 5),
    ],
)
def test_a_parameter_takes_its_kind_only(kind, right, wrong):
    assert kind in SCHEMAS
    parameter = Parameter("p", kind, "It.")
    parameter.checked(right)
    with pytest.raises(DataError) as caught:
        parameter.checked(wrong)
    assert caught.value.what == "p"


@each(
    "wrong",
    [
        {},
        {"type": "kv_invent"},
        {"type": 5},
        {"type": ["kv_put"]},
        [],
        "kv_put",
        None,
        {"type": "kv_put", "key": "a"},
        {"type": "kv_put", "value": 1},
        {"type": "kv_put", "key": 5, "value": 1},
        {"type": "kv_put", "key": "a", "value": 1, "spcae": "typo"},
        {"type": "kv_put", "key": "a", "value": 1, "space": 5},
        {"type": "kv_list", "limit": "5"},
        {"type": "spaces_list", "space": "a"},
    ],
)
async def test_what_is_no_command_is_refused_and_nothing_written(db, wrong):
    with pytest.raises(DataError):
        await db.call(wrong)
    assert await db.events.get_latest_event_id() == 0


async def test_a_command_is_for_the_space_that_it_names_else_for_default(db):
    await db.call({"type": "kv_put", "key": "a", "value": None, "space": "other"})
    await db.call({"type": "kv_put", "key": "b", "value": 1})
    await db.call({"type": "kv_put", "key": "c", "value": 1, "space": None})
    assert await db.call({"type": "kv_list", "space": "other"}) == {"keys": ["a"]}
    assert await db.call({"type": "kv_list", "space": "default"}) == {"keys": ["b", "c"]}
    assert await db.call({"type": "kv_list", "space": "never"}) == {"keys": []}
    assert not await db.spaces.exists("never")
    with pytest.raises(SpaceNameError):
        await db.call({"type": "kv_put", "key": "a", "value": 1, "space": "Bad Name"})
