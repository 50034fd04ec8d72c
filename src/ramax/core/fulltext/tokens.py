"""The tokens of a text, the same for every database: folded, and CJK one character at a time.

Neither database splits text by itself then, so both find the same. Accents, case and width do not
count. Text without spaces between words is searched as the phrase of its characters.
"""

import re
from typing import Final, NamedTuple
from unicodedata import category, normalize

LONGEST: Final = 100_000
"""Characters of a text that are indexed: PostgreSQL refuses more tokens than a megabyte holds."""

LONGEST_TOKEN: Final = 200
"""Characters of a token that count."""

_ACCENTS: Final = re.compile("[\u0300-\u036f]")
_ASCII: Final = re.compile("[a-z0-9]+")
_UNSPACED: Final = (
    (0x3040, 0x30FF),  # Hiragana, Katakana
    (0x3400, 0x4DBF),
    (0x4E00, 0x9FFF),  # Han
    (0xAC00, 0xD7A3),  # Hangul syllables
    (0xF900, 0xFAFF),
    (0x20000, 0x3FFFF),
)
_WORD, _SINGLE, _BETWEEN = range(3)


class Token(NamedTuple):
    """A token, and where in the text it stands: start <= place < end, in characters."""

    text: str
    start: int
    end: int


def tokens_of(text: str) -> list[str]:
    """Return the tokens of a text in order, of its first `LONGEST` characters."""
    text = text[:LONGEST]
    if text.isascii():
        return [word[:LONGEST_TOKEN] for word in _ASCII.findall(text.lower())]
    return [token.text for token in placed_tokens(text)]


def placed_tokens(text: str) -> list[Token]:
    """Return the tokens of a text with their places."""
    found: list[Token] = []
    start = -1
    for place, char in enumerate(text):
        kind = _kind(char)
        if kind != _WORD and start >= 0:
            _add(found, text, start, place)
            start = -1
        if kind == _SINGLE:
            _add(found, text, place, place + 1)
        elif kind == _WORD and start < 0:
            start = place
    if start >= 0:
        _add(found, text, start, len(text))
    return found


def _add(found: list[Token], text: str, start: int, end: int) -> None:
    folded = fold(text[start:end])
    # what folding makes of a ligature or a fraction may be several words
    words = "".join(c if _kind(c) != _BETWEEN else " " for c in folded).split()
    found.extend(Token(each[:LONGEST_TOKEN], start, end) for each in words)


def fold(word: str) -> str:
    """Return a word without what does not count: case, accents, width."""
    plain = _ACCENTS.sub("", normalize("NFKD", word).casefold())
    return normalize("NFC", plain)


def _kind(char: str) -> int:
    if char.isascii():
        return _WORD if char.isalnum() else _BETWEEN
    code = ord(char)
    if any(low <= code <= high for low, high in _UNSPACED):
        return _SINGLE if category(char)[0] in "LN" else _BETWEEN
    return _WORD if category(char)[0] in "LMN" else _BETWEEN
