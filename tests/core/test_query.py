import pickle
from typing import Any

import pytest

from ramax import DataError, Query
from ramax.core.query import MAX_SEARCHES

EVENTS: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "a": ("opened", "e1", ("x",)),
    "b": ("opened", "e2", ("x", "y")),
    "c": ("closed", "e1", ("y",)),
    "d": ("closed", "e3", ()),
}


def found(query: Query) -> str:
    return "".join(name for name, event in EVENTS.items() if query.matches(*event))


@pytest.mark.parametrize(
    ("query", "names"),
    [
        (Query(), "abcd"),
        (Query(types=["opened"]), "ab"),
        (Query(types=["opened", "closed"]), "abcd"),
        (Query(types=["other"]), ""),
        (Query(entities=["e1"]), "ac"),
        (Query(entities=["e1", "e3"]), "acd"),
        (Query(tags=["x"]), "ab"),
        (Query(tags=["x", "y"]), "b"),
        (Query(types=["closed"], entities=["e1"]), "c"),
        (Query(types=["opened"], entities=["e2"], tags=["y", "x"]), "b"),
        (Query(types=["closed"], tags=["x"]), ""),
        (Query(types=["closed"]) | Query(tags=["x", "y"]), "bcd"),
        (Query(tags=["y"]) | Query(entities=["e3"]) | Query(types=["none"]), "bcd"),
    ],
)
def test_types_and_entities_are_alternatives_and_tags_are_all_needed(query, names):
    assert found(query) == names


def test_a_query_is_a_value():
    one = Query(["b", "a", "a"], tags=["y", "x"]) | Query(entities=["e"])
    other = Query(["a", "b"], tags=["x", "y", "x"]) | Query(entities=["e"])
    assert one == other
    assert hash(one) == hash(other)
    assert one != Query()
    assert one != "a query"
    assert pickle.loads(pickle.dumps(one)) == one
    assert repr(one) == "Query(types=['a', 'b'], tags=['x', 'y']) | Query(entities=['e'])"
    assert repr(Query()) == "Query()"
    with pytest.raises(AttributeError, match="immutable"):
        one.searches = ()
    with pytest.raises(TypeError):
        one | "x"  # type: ignore[operator]  # noqa: B018 - it raises


def test_the_same_search_is_made_once():
    assert (Query(tags=["x"]) | Query(tags=["x"])).searches == Query(tags=["x"]).searches
    assert len(Query(entities=["a", "b"]).searches) == 2


@pytest.mark.parametrize(
    "wrong",
    [
        {"types": "opened"},
        {"types": [""]},
        {"types": [7]},
        {"types": 7},
        {"entities": "e"},
        {"entities": ["x" * 1025]},
        {"tags": "x"},
        {"tags": [""]},
    ],
)
def test_what_cannot_be_stored_cannot_be_asked_for(wrong: dict[str, Any]):
    with pytest.raises(DataError):
        Query(**wrong)


def test_a_query_has_an_end():
    with pytest.raises(DataError, match="more than 100"):
        Query(entities=[f"e{n}" for n in range(MAX_SEARCHES + 1)])
    full = Query(entities=[f"e{n}" for n in range(MAX_SEARCHES)])
    with pytest.raises(DataError, match="more than 100"):
        full | Query(tags=["x"])  # noqa: B018 - it raises
