"""Texts without a database: a command is run, and its events are folded."""

from typing import Any

from ramax.core.datatypes import text as rules
from ramax.core.datatypes.text import Contents
from ramax.datatypes.loro_codec import LoroCodec
from ramax.datatypes.open_texts import Edit
from ramax.values import applied_event


def committed(state: dict[str, Any], edit: Edit, name: str = "t") -> int:
    """Run an edit and fold what comes of it; return how many events that were."""
    events = rules.edit(state, (name, edit))
    for number, each in enumerate(events):
        folded = applied_event(
            number,
            each.entity_id or "",
            each.event_type,
            dict(each.payload),
            number,
            None,
            None,
            None,
        )
        rules.TEXT.apply(state, folded)
    return len(events)


def text_of(state: dict[str, Any], name: str = "t") -> str:
    """Open what is stored from nothing and read it."""
    contents = Contents(state, name)
    opened = LoroCodec().open(contents.updates(contents.keys()))
    assert opened.unreadable == 0
    return opened.text()
