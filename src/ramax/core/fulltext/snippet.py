"""A piece of a text around what was found in it."""

from collections.abc import Iterable
from typing import Final

from ramax.core.fulltext.query import Phrase
from ramax.core.fulltext.tokens import LONGEST, placed_tokens

_BEFORE: Final = 60
_AFTER: Final = 140


def snippet(text: str, phrases: Iterable[Phrase]) -> str:
    """Return up to about 200 characters around the first phrase that occurs, on one line."""
    tokens = placed_tokens(text[:LONGEST])
    words = [token.text for token in tokens]
    first = len(words)
    for phrase in phrases:
        first = min(first, _place(words, phrase, first))
    middle = tokens[first].start if first < len(tokens) else 0
    start = max(0, middle - _BEFORE)
    end = min(len(text), middle + _AFTER)
    piece = " ".join(text[start:end].split())
    return f"{'…' if start else ''}{piece}{'…' if end < len(text) else ''}"


def _place(words: list[str], phrase: Phrase, most: int) -> int:
    *whole, last = phrase.tokens
    for place in range(min(most, len(words) - len(whole))):
        if words[place : place + len(whole)] != whole:
            continue
        end = words[place + len(whole)]
        if end == last or (phrase.prefix and end.startswith(last)):
            return place
    return most
