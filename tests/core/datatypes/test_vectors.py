"""The rules of collections of vectors, without a database."""

import pytest

from ramax.core.datatypes import vectors
from ramax.core.datatypes.vectors import Vector
from ramax.errors import CollectionExistsError, CollectionNotFoundError, VectorError
from tests.core.datatypes._states import Rules

TWO = b"\0" * 8


def made():
    rules = Rules(vectors.VECTORS)
    rules.do(vectors.create, ("c", 2, "cosine", "exact"))
    return rules


def row(rules):
    return vectors.Collection(*rules.state["c/c"])


def test_a_collection_counts_its_vectors_and_its_changes():
    rules = made()
    rules.do(vectors.upsert, ("c", {"a": Vector(TWO, None), "b": Vector(TWO, {"n": 1})}))
    rules.do(vectors.upsert, ("c", {"a": Vector(TWO, {"n": 2})}))
    assert (row(rules).vectors, row(rules).changes, row(rules).last) == (2, 3, 4)
    assert rules.do(vectors.delete, ("c", ["a", "never"])) == [
        ("ramax.vectors.deleted", "ramax.vectors:c/a")
    ]
    assert (row(rules).vectors, row(rules).changes, row(rules).last) == (1, 4, 5)
    assert rules.refolded() == rules.state


def test_a_collection_says_only_that_it_is_not_exact():
    rules = made()
    rules.do(vectors.create, ("near", 2, "cosine", "approximate"))
    assert b"index" not in rules.unit.rows[0].payload
    assert len(rules.state["c/c"]) == 6
    rules.do(vectors.upsert, ("near", {"a": Vector(TWO, None)}))
    found = vectors.Collection(*rules.state["c/near"])
    assert (found.index_kind, found.vectors, row(rules).index_kind) == ("approximate", 1, "exact")
    assert rules.refolded() == rules.state


def test_a_collection_goes_with_its_vectors_and_no_other():
    rules = made()
    rules.do(vectors.create, ("c2", 2, "cosine", "exact"))
    for name in ("c", "c2"):
        rules.do(vectors.upsert, (name, {"a/b": Vector(TWO, None)}))
    rules.do(vectors.drop, "c")
    assert rules.do(vectors.drop, "c") == []
    assert set(rules.state) == {"c/c2", "v/c2/a/b"}
    assert rules.refolded() == rules.state


def test_what_does_not_fit_is_refused():
    rules = made()
    with pytest.raises(CollectionExistsError):
        rules.do(vectors.create, ("c", 2, "cosine", "exact"))
    with pytest.raises(CollectionNotFoundError):
        rules.do(vectors.upsert, ("none", {"a": Vector(TWO, None)}))
    with pytest.raises(CollectionNotFoundError):
        rules.do(vectors.delete, ("none", ["a"]))
    with pytest.raises(VectorError, match="2 numbers"):
        rules.do(vectors.upsert, ("c", {"a": Vector(TWO, None), "b": Vector(TWO * 2, None)}))
    assert row(rules).vectors == 0
