"""What results say of themselves."""

from ramax.core.merging.results import SpaceMerge


def test_a_merge_changed_a_space_only_where_something_was_recorded():
    assert SpaceMerge("s", copied=1).changed
    assert SpaceMerge("s", made=1).changed
    assert not SpaceMerge("s", space_sequence=7).changed
