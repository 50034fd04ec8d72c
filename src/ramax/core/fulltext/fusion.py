"""Reciprocal rank fusion: several rankings of the same names as one."""

from collections.abc import Hashable, Sequence
from typing import Final, TypeVar

K: Final = 60
"""How little the first ranks stand out; the customary figure."""

T = TypeVar("T", bound=Hashable)


def fuse(*rankings: Sequence[T]) -> list[tuple[T, float]]:
    """Return every name with the sum of 1 / (60 + rank) over the rankings, the highest first.

    Names of the same sum stay in the order in which they came first.
    """
    scores: dict[T, float] = {}
    for ranking in rankings:
        for rank, name in enumerate(dict.fromkeys(ranking), 1):
            scores[name] = scores.get(name, 0.0) + 1 / (K + rank)
    return sorted(scores.items(), key=lambda each: -each[1])
