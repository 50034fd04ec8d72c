"""The matrix finds what a comparison with each vector finds, whatever was put and deleted."""

import math
import struct
import sys

import numpy as np
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


def clustered(metric, count=3000):
    """Return a matrix whose vectors lie around topics, grouped, and an exact one of the same."""
    chance = np.random.default_rng(5)
    centres = 5 * chance.standard_normal((40, 8))
    rows = (centres[np.arange(count) % 40] + chance.standard_normal((count, 8))).astype("f4")
    data = [(f"k{at:05}", row.tobytes(), {"n": at}) for at, row in enumerate(rows)]
    grouped, exact = Matrix(8, metric), Matrix(8, metric)
    grouped.put(data)
    exact.put(data)
    grouped.group()
    return grouped, exact, rows


def keys(found):
    return [key for key, _, _ in found]


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_with_groups_nine_of_ten_are_found_and_scored_the_same(metric):
    grouped, exact, rows = clustered(metric)
    missed = 0
    for wanted in rows[::60]:
        true = {key: score for key, score, _ in exact.search(wanted.tobytes(), 10, None)}
        found = {key: score for key, score, _ in grouped.search(wanted.tobytes(), 10, None)}
        missed += len(true.keys() - found.keys())
        assert all(found[key] == pytest.approx(true[key]) for key in found.keys() & true.keys())
    assert missed / 500 <= 0.1


def test_groups_look_at_less():
    grouped, _, rows = clustered("cosine")
    grouped.put([("lonely", (-rows[0]).tobytes(), None)])
    found = keys(grouped.search(rows[0].tobytes(), 60, None))
    assert set(found) <= {f"k{at:05}" for at in range(3000)}
    far = keys(grouped.search((-rows[0]).tobytes(), 1, None))
    assert far == ["lonely"]


def test_a_filter_never_hides_what_no_group_that_is_near_holds():
    grouped, exact, rows = clustered("cosine")
    wanted = rows[0].tobytes()
    few = [at for at in range(3000) if at % 40 == 20][:5]  # of one topic that is elsewhere

    def passes(metadata):
        return metadata["n"] in few

    assert keys(grouped.search(wanted, 10, passes)) == keys(exact.search(wanted, 10, passes))
    assert len(grouped.search(wanted, 10, passes)) == 5
    assert len(grouped.search(wanted, 3000, None)) == 3000


def test_groups_follow_what_is_put_replaced_and_deleted():
    grouped, exact, rows = clustered("cosine")
    for each in (grouped, exact):
        each.put([("k00000", rows[1].tobytes(), None), ("new", rows[2].tobytes(), None)])
        for at in range(2, 3000, 3):
            each.delete(f"k{at:05}")
    assert keys(grouped.search(rows[1].tobytes(), 2, None)) == ["k00000", "k00001"]
    assert keys(grouped.search(rows[2].tobytes(), 1, None)) == ["new"]
    hits = 0
    for wanted in rows[3:150:3]:
        true = set(keys(exact.search(wanted.tobytes(), 10, None)))
        hits += len(true & set(keys(grouped.search(wanted.tobytes(), 10, None))))
    assert hits >= 0.9 * 490


def test_vectors_that_32_bits_do_not_square_are_all_compared():
    grouped, exact, rows = clustered("cosine")
    huge = (rows[0] * 1e20).astype("f4").tobytes()
    for each in (grouped, exact):
        each.put([("huge", huge, None)])
    assert keys(grouped.search(huge, 50, None)) == keys(exact.search(huge, 50, None))


def test_vectors_are_grouped_when_there_are_many_and_again_when_there_are_twice_as_many(
    monkeypatch,
):
    monkeypatch.setattr(matrix, "GROUPED_FROM", 100)
    found = Matrix(3, "cosine")
    found.put([(f"a{at}", packed([1.0, at, 0.0]), None) for at in range(99)])
    assert not found.wants_groups
    found.put([("b", packed([0.0, 1.0, 0.0]), None)])
    assert found.wants_groups
    found.group()
    assert not found.wants_groups
    found.put([(f"c{at}", packed([1.0, at, 1.0]), None) for at in range(100)])
    assert found.wants_groups
