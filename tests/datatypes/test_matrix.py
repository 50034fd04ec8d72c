"""The matrix finds what a comparison with each vector finds, whatever was put and deleted."""

import math
import struct
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ramax.datatypes import matrix
from ramax.datatypes.matrix import Matrix
from ramax.errors import MisuseError

numbers = st.integers(-3, 3).map(float)
vectors = st.lists(numbers, min_size=3, max_size=3)
steps = st.lists(st.tuples(st.sampled_from("abcdef"), st.none() | vectors), min_size=1, max_size=25)


def packed(vector):
    return struct.pack("<3f", *vector)


def score(metric, one, other):
    dot = sum(a * b for a, b in zip(one, other, strict=True))
    if metric == "dot_product":
        return dot
    if metric == "euclidean":
        return 1 / (1 + math.dist(one, other))
    lengths = math.hypot(*one) * math.hypot(*other)
    return dot / lengths if lengths else 0.0


@given(steps, vectors, st.sampled_from(["cosine", "euclidean", "dot_product"]), st.integers(1, 7))
def test_it_ranks_as_a_loop_does(changes, wanted, metric, k):
    found = Matrix(3, metric)
    plain: dict[str, list[float]] = {}
    for key, vector in changes:
        if vector is None:
            found.delete(key)
            plain.pop(key, None)
        else:
            found.put([(key, packed(vector), {"key": key})])
            plain[key] = vector
    assert len(found) == len(plain)
    ranked = found.search(packed(wanted), k, None)
    assert all(metadata == {"key": key} for key, _, metadata in ranked)
    expected = {key: score(metric, vector, wanted) for key, vector in plain.items()}
    assert len(ranked) == min(k, len(plain))
    for key, value, _ in ranked:
        assert value == pytest.approx(expected[key], abs=1e-5)
    worst = min((value for _, value, _ in ranked), default=0)
    left = set(expected) - {key for key, _, _ in ranked}
    assert all(expected[key] <= worst + 1e-5 for key in left)
    passing = found.search(packed(wanted), k, lambda metadata: metadata["key"] < "d")
    assert [key for key, _, _ in passing] == [
        key for key, _, _ in found.search(packed(wanted), 9, None) if key < "d"
    ][:k]


def test_equal_scores_go_by_key_even_where_the_last_places_are_shared():
    same = Matrix(3, "cosine")
    same.put([(key, packed([1, 0, 0]), None) for key in "dbcae"])
    assert [key for key, _, _ in same.search(packed([1, 0, 0]), 3, None)] == ["a", "b", "c"]
    assert [k for k, _, _ in same.search(packed([1, 0, 0]), 2, lambda _m: True)] == ["a", "b"]


def test_of_several_vectors_of_one_key_the_last_counts():
    many = Matrix(3, "dot_product")
    many.put([("a", packed([n, 0, 0]), {"n": n}) for n in range(50)])
    assert many.search(packed([1, 0, 0]), 5, None) == [("a", 49.0, {"n": 49})]


def test_a_vector_without_length_is_like_no_other():
    zero = Matrix(3, "cosine")
    zero.put([("a", packed([0, 0, 0]), None)])
    assert zero.search(packed([1, 0, 0]), 1, None) == [("a", 0.0, None)]
    assert Matrix(3, "cosine").search(packed([1, 0, 0]), 1, None) == []


@pytest.mark.parametrize("size", [3e38, 1e25, 1e-22, 1e-38])
def test_vectors_of_any_length_that_can_be_stored_are_compared(size):
    for metric, best in (("cosine", 1.0), ("dot_product", 2 * size**2), ("euclidean", 1.0)):
        found_in = Matrix(3, metric)
        found_in.put(
            [("other", packed([size, -size, 0]), None), ("same", packed([size, size, 0]), None)]
        )
        (key, found, _), (_, worse, _) = found_in.search(packed([size, size, 0]), 2, None)
        assert key == "same"
        assert found == pytest.approx(best)
        assert math.isfinite(found)
        assert worse <= found


def test_without_numpy_the_message_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "numpy", None)
    matrix.numpy.cache_clear()
    try:
        with pytest.raises(MisuseError, match=r"ramax\[vectors\]"):
            Matrix(3, "cosine")
    finally:
        matrix.numpy.cache_clear()
