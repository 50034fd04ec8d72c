"""What somebody who searches typed: words, "phrases", -without, word* and OR; never an error."""

import re
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from ramax.core.fulltext.tokens import tokens_of
from ramax.errors import DataError

LONGEST_QUERY: Final = 2000
"""Characters."""

_PART: Final = re.compile(r'(-?)(?:"([^"]*)"?|([^\s"]+))')


class Phrase(NamedTuple):
    """Tokens that follow each other; with ``prefix`` the last one is only begun."""

    tokens: tuple[str, ...]
    prefix: bool = False


class Wanted(NamedTuple):
    """Of each group one phrase has to occur, and none of those in ``without``."""

    groups: tuple[tuple[Phrase, ...], ...]
    without: tuple[Phrase, ...] = ()

    @property
    def phrases(self) -> Sequence[Phrase]:
        """Every phrase that may occur."""
        return [phrase for group in self.groups for phrase in group]


def read_query(text: Any) -> Wanted:
    """Read what was typed. Without a word to look for, nothing is wanted.

    Raises:
        DataError: It is no text, or over 2,000 characters.
    """
    if not isinstance(text, str):
        raise DataError("search text", text, "must be a str")
    if len(text) > LONGEST_QUERY:
        raise DataError("search text", text, f"has at most {LONGEST_QUERY:,} characters")
    groups: list[list[Phrase]] = []
    without: list[Phrase] = []
    alternative = False
    for minus, quoted, word in _PART.findall(text):
        if word == "OR" and not minus:
            alternative = bool(groups)
            continue
        tokens = tuple(tokens_of(quoted or word))
        if not tokens:
            continue
        phrase = Phrase(tokens, prefix=not quoted and word.endswith("*"))
        if minus:
            without.append(phrase)
        elif alternative:
            groups[-1].append(phrase)
        else:
            groups.append([phrase])
        alternative = False
    return Wanted(tuple(map(tuple, groups)), tuple(without))
