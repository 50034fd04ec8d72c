"""Ranking texts that no index has: bm25, by the same formula and figures as FTS5."""

from collections.abc import Sequence
from math import log
from typing import Final, NamedTuple

from ramax.core.fulltext.query import Phrase, Wanted

_K1: Final = 1.2
_B: Final = 0.75
_LEAST: Final = 1e-6
"""What a phrase counts that half of the texts have, or more."""


class _Match(NamedTuple):
    key: str
    length: int
    times: Sequence[int]


class Ranking:
    """Takes every text, and keeps the key of those that match."""

    def __init__(self, wanted: Wanted) -> None:
        self._wanted = wanted
        self._phrases = wanted.phrases
        self._having = [0] * len(self._phrases)
        self._texts = self._words = 0
        self._matches: list[_Match] = []

    def add(self, key: str, tokens: Sequence[str], *, eligible: bool) -> None:
        """Count a text; one that is not eligible counts, but is no match."""
        self._texts += 1
        self._words += len(tokens)
        times = [times_of(phrase, tokens) for phrase in self._phrases]
        for at, number in enumerate(times):
            self._having[at] += number > 0
        if eligible and self._fits(times, tokens):
            self._matches.append(_Match(key, len(tokens), times))

    def best(self, limit: int, offset: int) -> list[tuple[str, float]]:
        """Return keys and scores, the best first; of the same score by key."""
        scores = [(match.key, self._score(match)) for match in self._matches]
        scores.sort(key=lambda each: (-each[1], each[0]))
        return scores[offset : offset + limit]

    def _fits(self, times: Sequence[int], tokens: Sequence[str]) -> bool:
        at = 0
        for group in self._wanted.groups:
            if not any(times[at : at + len(group)]):
                return False
            at += len(group)
        return at > 0 and not any(times_of(phrase, tokens) for phrase in self._wanted.without)

    def _score(self, match: _Match) -> float:
        average = self._words / self._texts
        slowed = _K1 * (1 - _B + _B * match.length / average)
        return sum(
            max(self._rarity(having), _LEAST) * number * (_K1 + 1) / (number + slowed)
            for having, number in zip(self._having, match.times, strict=True)
        )

    def _rarity(self, having: int) -> float:
        return log((self._texts - having + 0.5) / (having + 0.5))


def times_of(phrase: Phrase, tokens: Sequence[str]) -> int:
    """Return how often a phrase occurs in a text."""
    *whole, last = phrase.tokens
    if not whole:
        if phrase.prefix:
            return sum(token.startswith(last) for token in tokens)
        return tokens.count(last)
    before = len(whole)
    return sum(
        (tokens[at] == last or (phrase.prefix and tokens[at].startswith(last)))
        and list(tokens[at - before : at]) == whole
        for at in range(before, len(tokens))
    )
