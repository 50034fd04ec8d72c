"""Searching a space as it was: no index has that, so every text of then is read."""

import asyncio
from itertools import islice
from typing import Final

from ramax.core.fulltext.documents import Searched, Text, text_of
from ramax.core.fulltext.ranking import Ranking
from ramax.core.fulltext.snippet import snippet
from ramax.core.fulltext.tokens import tokens_of
from ramax.errors import SearchDisabledError
from ramax.runtime.page_fold import facts_of
from ramax.runtime.past import Past
from ramax.runtime.past_fold import PastFold
from ramax.runtime.text_search import Wish
from ramax.values import SearchHit

_AT_ONCE: Final = 500
"""Texts between two looks at what else the event loop has to do."""


async def search_past(past: Past, wish: Wish) -> list[SearchHit]:
    """Search a space after one of its events; what is searched is what it declares now."""
    fold = await past.folded()
    if not fold.space.space_id:
        return []
    facts = await past.core.read(lambda ex: facts_of(ex, fold.space))
    what = facts.guard.searched
    if what is None:
        raise SearchDisabledError(facts.space_name)
    if not wish.wanted.groups:
        return []
    ranking = await _ranked(past, fold, what, wish)
    hits = []
    for key, score in ranking.best(wish.limit, wish.offset):
        type_, name, text = _text(fold, what, key)
        piece = snippet(text, wish.wanted.phrases)
        hits.append(SearchHit(facts.space_name, type_, name, piece, score))
    return hits


async def _ranked(past: Past, fold: PastFold, what: Searched, wish: Wish) -> Ranking:
    ranking = Ranking(wish.wanted)
    values = fold.walk()
    while page := list(islice(values, _AT_ONCE)):
        for key, packed in page:
            text = text_of(what, key, packed)
            if text is not None:
                ranking.add(key, tokens_of(text.text), eligible=text.type in wish.types)
        await asyncio.sleep(0)
        past.check_open()
    return ranking


def _text(fold: PastFold, what: Searched, key: str) -> Text:
    packed = fold.load(key)
    assert packed is not None  # it was there when it was ranked, and the past does not change
    text = text_of(what, key, packed)
    assert text is not None
    return text
