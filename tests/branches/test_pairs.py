"""Which space of one branch is which of another."""

from dataclasses import dataclass
from typing import Any

from ramax.branches.pairs import pair
from ramax.storage.lineage import Segment
from ramax.values import EPOCH, Space


@dataclass
class Side:
    """What pairing looks at of the log of a space."""

    space: Space
    segments: list[Segment]


def side(space_id: int, name: str, root: int | None = None) -> Any:
    return Side(Space(space_id, name, EPOCH), [Segment(root or space_id, 0, 9)])


def names(found: Any) -> list[tuple[str, str]]:
    return [(a.space.space_name, b.space.space_name) for a, b in found.both]


def test_the_same_name_and_past_comes_first_then_the_past_then_the_name():
    sources = [side(11, "a", 1), side(12, "renamed", 2), side(13, "new"), side(14, "mine")]
    targets = [side(1, "a"), side(2, "b"), side(3, "new"), side(4, "yours")]
    found = pair(sources, targets)
    assert names(found) == [("a", "a"), ("renamed", "b"), ("new", "new")]
    assert [each.space.space_name for each in found.only_source] == ["mine"]
    assert [each.space.space_name for each in found.only_target] == ["yours"]


def test_names_that_were_swapped_do_not_mislead():
    found = pair([side(11, "b", 1), side(12, "a", 2)], [side(1, "a"), side(2, "b")])
    assert names(found) == [("b", "a"), ("a", "b")]


def test_of_several_with_one_past_the_name_decides():
    found = pair([side(11, "a", 1), side(12, "copy", 1)], [side(1, "a", 1), side(5, "other", 1)])
    assert names(found) == [("a", "a"), ("copy", "other")]
    unclear = pair([side(11, "x", 1), side(12, "y", 1)], [side(1, "a", 1)])
    assert names(unclear) == []
