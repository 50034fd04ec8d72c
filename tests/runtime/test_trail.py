"""Where snapshots are left on the way of a fold, and which of them stay."""

from ramax import Domain
from ramax.core.sync.place import FoldPlace
from ramax.runtime import trail
from ramax.runtime.trail import Trail, fold_of, targets


def at(count: int) -> FoldPlace:
    return FoldPlace((count, b"o" * 16, count), count, {b"o" * 16: count})


def left(made: Trail) -> list[int]:
    return [each.place.events for each in made._left]


def folded(start: int, end: int, late: int | None) -> list[int]:
    made, count = Trail("fold", start, end, late), start
    while count < end:
        count += min(made.limit(count, 2000), end - count)
        made.folded({f"k{count}": b"1"}, at(count))
    return left(made)


def test_snapshots_are_denser_towards_the_end():
    assert targets(0, 10_000) == [9000, 8000, 6000, 2000]
    assert targets(8500, 10_000) == []
    assert folded(0, 10_000, None) == [2000, 6000, 8000, 9000]


def test_behind_a_late_event_none_is_left_unless_the_fold_began_far_before_it():
    assert folded(0, 10_000, 1000) == []
    assert folded(0, 10_000, 9900) == [2000, 6000, 8000, 9000]
    assert folded(0, 10_000, 4000) == [2000]


def test_a_state_that_is_too_large_is_left_nowhere(monkeypatch):
    monkeypatch.setattr(trail, "LARGEST", 3)
    assert folded(0, 10_000, None) == []


def test_only_what_names_its_fold_leaves_snapshots():
    def nothing(_state, _event):
        pass

    assert fold_of(Domain("a", nothing)) is None
    versions = [fold_of(Domain("a", nothing, fold_version=n)) for n in (1, 2, 1)]
    assert versions[0] == versions[2] != versions[1]
    assert fold_of(Domain("none")) is not None
