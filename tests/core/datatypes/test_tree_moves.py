"""Trees of replicas that moved nodes apart are the same tree, and stay trees."""

import random

from hypothesis import given
from hypothesis import strategies as st

from ramax.core.datatypes.tree_moves import ROOT, TRASH, Move, Place, TreeMoves

NODES = [ROOT, TRASH, *"abcdef"]
moves = st.lists(
    st.tuples(st.sampled_from(NODES), st.sampled_from(NODES), st.sampled_from("VWX")), max_size=40
)


def stamped(given_moves):
    return [
        Move((n // 2, b"ab"[n % 2 : n % 2 + 1], n // 2), node, Place(parent, key))
        for n, (node, parent, key) in enumerate(given_moves)
    ]


def fold(log):
    """The oracle: every move in order, from nothing, told as plainly as can be."""
    places: dict[str, Place] = {}
    for _, node, place in sorted(set(log)):
        at, above = place.parent, {place.parent}
        while at in places:
            at = places[at].parent
            above.add(at)
        if node not in above and node not in (ROOT, TRASH):
            places[node] = place
    return places


@given(moves, st.randoms(use_true_random=False))
def test_any_order_of_arrival_comes_to_the_sorted_fold(given_moves, rng):
    """B8: batches in any order, with duplicates, come to what the sorted fold comes to."""
    log = stamped(given_moves)
    arriving = [*log, *rng.sample(log, len(log) // 2)]
    rng.shuffle(arriving)
    tree = TreeMoves()
    while arriving:
        size = rng.randint(1, 8)
        batch, arriving = arriving[:size], arriving[size:]
        was = dict(tree.places)
        changed = tree.merge(batch)
        now = dict(tree.places)
        assert changed == {
            node: now.get(node)
            for node in was.keys() | now.keys()
            if was.get(node) != now.get(node)
        }
    assert tree.places == fold(log)
    assert len(tree) == len(log)


@given(moves)
def test_no_node_is_ever_below_itself(given_moves):
    """B8: no cycle, whatever was moved where."""
    places = TreeMoves(stamped(given_moves)).places
    for node in places:
        seen = set()
        while node in places:
            assert node not in seen
            seen.add(node)
            node = places[node].parent


def test_of_two_moves_into_each_other_the_earlier_one_counts():
    made = [Move((n, b"a", n), node, Place(ROOT, "V")) for n, node in enumerate("xy")]
    mine, theirs = (
        Move((5, b"a", 2), "x", Place("y", "V")),
        Move((5, b"b", 1), "y", Place("x", "V")),
    )
    for order in ([mine, theirs], [theirs, mine]):
        tree = TreeMoves(made)
        for move in order:
            tree.merge([move])
        assert tree.places == {"x": Place("y", "V"), "y": Place(ROOT, "V")}


def test_a_move_that_did_nothing_counts_once_an_earlier_one_lets_it_in():
    tree = TreeMoves(
        [
            Move((1, b"a", 1), "x", Place(ROOT, "V")),
            Move((2, b"a", 2), "y", Place("x", "V")),
            Move((4, b"a", 3), "x", Place("y", "V")),
        ]
    )
    assert tree.places["x"] == Place(ROOT, "V")
    changed = tree.merge([Move((3, b"b", 1), "y", Place(ROOT, "W"))])
    assert changed == {"x": Place("y", "V"), "y": Place(ROOT, "W")}


def test_what_is_known_changes_nothing():
    log = stamped([("a", ROOT, "V"), ("b", "a", "V")])
    tree = TreeMoves(log)
    assert tree.merge(log) == {}
    assert tree.merge([]) == {}
    assert len(tree) == 2


def test_a_node_that_comes_before_its_parent_is_kept():
    tree = TreeMoves([Move((2, b"a", 1), "child", Place("later", "V"))])
    assert tree.merge([Move((1, b"b", 1), "later", Place(ROOT, "V"))]) == {
        "later": Place(ROOT, "V")
    }
    assert tree.places["child"] == Place("later", "V")


def test_a_thousand_concurrent_moves_of_ten_thousand_nodes_come_to_the_sorted_fold():
    """B8; ADR 86 has the figure."""
    log, tree, late = concurrent_moves(10_000, 1000)
    tree.merge(late)
    assert tree.places == fold(log)


def concurrent_moves(nodes, count):
    rng = random.Random(7)
    log = [
        Move((n, b"a", n), str(n), Place(str(rng.randrange(n)) if n else ROOT, "V"))
        for n in range(nodes)
    ]
    both = [
        [
            Move(
                (nodes + n, origin, n),
                str(rng.randrange(nodes)),
                Place(str(rng.randrange(nodes)), "W"),
            )
            for n in range(count)
        ]
        for origin in (b"a", b"b")
    ]
    return [*log, *both[0], *both[1]], TreeMoves([*log, *both[0]]), both[1]
