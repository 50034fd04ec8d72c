"""Branches: all spaces forked at one point; merging: what one has and another lacks, taken over."""

from ramax.branches.client import Branches

__all__ = ["Branches"]
