"""Groups of near vectors: how many of the nearest they find, measured, and that they stay true."""

import numpy as np
import pytest

from ramax.datatypes.clusters import RECALL, Clusters

pytestmark = pytest.mark.filterwarnings("error")
METRICS = ("cosine", "euclidean", "dot_product")


def embeddings(count, *, topics=60, dimension=32, seed=7):
    """Vectors around topics, as the embeddings of texts are."""
    chance = np.random.default_rng(seed)
    centres = np.random.default_rng(1).standard_normal((topics, dimension))
    spread = 0.8 * chance.standard_normal((count, dimension))
    return (centres[chance.integers(0, topics, count)] + spread).astype("f4")


def nearest(metric, rows, wanted, k=10):
    if metric == "euclidean":
        return set(np.argsort(np.linalg.norm(rows - wanted, axis=1))[:k].tolist())
    lengths = np.linalg.norm(rows, axis=1) if metric == "cosine" else 1
    return set(np.argsort(-(rows @ wanted) / lengths)[:k].tolist())


@pytest.mark.parametrize("metric", METRICS)
def test_nine_of_ten_of_the_nearest_are_among_few_candidates(metric):
    rows = embeddings(4000)
    found = Clusters(np, metric, rows)
    hits = looked_at = 0
    for wanted in embeddings(50, seed=8):
        candidates = set(found.candidates(wanted, len(rows)).tolist())
        hits += len(candidates & nearest(metric, rows, wanted))
        looked_at += len(candidates)
    assert hits / 500 >= 0.9
    assert looked_at / 50 <= len(rows) * found.probes * 3 / 63


def test_as_many_groups_are_looked_at_as_the_measurement_says():
    rows = embeddings(3000)
    found = Clusters(np, "cosine", rows)
    asked = rows[::30]
    hits = sum(
        len(
            set(found.candidates(wanted, len(rows)).tolist())
            & nearest("cosine", rows, wanted, k=11)
        )
        for wanted in asked
    )
    assert hits / (11 * len(asked)) >= RECALL - 0.05


def test_vectors_without_groups_are_not_worth_it_and_those_with_groups_are():
    noise = np.random.default_rng(3).standard_normal((3000, 64)).astype("f4")
    assert not Clusters(np, "cosine", noise).is_worth_it
    assert Clusters(np, "cosine", embeddings(5000, topics=60)).is_worth_it


@pytest.mark.parametrize("metric", METRICS)
def test_a_row_that_comes_or_moves_is_found_in_its_group(metric):
    rows = embeddings(1000)
    found = Clusters(np, metric, rows)
    more = np.concatenate([rows, embeddings(500, seed=9)])
    found.assign(more, np.arange(1000, 1500))
    again = Clusters(np, metric, rows)
    again.assign(more[:1000], np.arange(1000))
    assert (again.groups[:1000] == found.groups[:1000]).all()
    if metric != "dot_product":  # there the nearest may be a longer one of another group
        for place in range(1000, 1500, 50):
            assert place in found.candidates(more[place], 1500)
    found.move(1499, 3)
    assert found.groups[3] == found.groups[1499]
    assert found.candidates(more[0], 100).max() < 100


@pytest.mark.parametrize("rows", [embeddings(2), embeddings(11), np.zeros((50, 32), dtype="f4")])
def test_few_vectors_and_equal_ones_make_groups_too(rows):
    found = Clusters(np, "cosine", rows)
    assert found.probes >= 1
    assert len(found.candidates(rows[0], len(rows))) >= 1


def test_the_same_vectors_make_the_same_groups():
    rows = embeddings(2000)
    one, other = (Clusters(np, "euclidean", rows) for _ in range(2))
    assert (one.groups == other.groups).all()
    assert one.probes == other.probes
