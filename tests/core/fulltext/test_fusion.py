"""Several rankings as one."""

import pytest

from ramax.core.fulltext.fusion import fuse


def test_what_both_rank_comes_before_what_one_ranks_first():
    fused = fuse(["a", "both", "c"], ["x", "both"])
    assert [name for name, _ in fused] == ["both", "a", "x", "c"]
    assert fused[0][1] == pytest.approx(2 / 62)
    assert fused[1][1] == pytest.approx(1 / 61)


def test_a_name_counts_once_in_a_ranking():
    assert fuse(["a", "a", "b"]) == [("a", 1 / 61), ("b", 1 / 62)]
