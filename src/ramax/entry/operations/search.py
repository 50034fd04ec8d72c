"""Operations that search the texts of a space."""

from typing import Any, Final

from ramax.entry.operations.answer import NUMBER, TEXT, listed, record
from ramax.entry.operations.operation import LIMIT, Document, Operation, Parameter

_HIT: Final = record({"space": TEXT, "type": TEXT, "key": TEXT, "snippet": TEXT, "score": NUMBER})


async def _text(s: Any, **given: Any) -> Document:
    return {
        "hits": [
            {
                "space": hit.space,
                "type": hit.type,
                "key": hit.key,
                "snippet": hit.snippet,
                "score": hit.score,
            }
            for hit in await s.search(**given)
        ]
    }


SEARCH: Final = (
    Operation(
        "search_text",
        "Return what of the space has these words, best first.",
        (
            Parameter("text", "text", 'Words; "a phrase", -without, begin*, OR.'),
            Parameter("types", "texts", "Some of kv, json, log and pstate.", required=False),
            LIMIT,
            Parameter("offset", "int", "How many to leave out.", required=False),
            Parameter(
                "collection", "text", "Of vectors to be ranked with; with a vector.", required=False
            ),
            Parameter("vector", "numbers", "What the vectors are compared with.", required=False),
        ),
        _text,
        {"hits": listed(_HIT)},
    ),
)
