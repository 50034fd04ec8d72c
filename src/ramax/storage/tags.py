"""The rows that find events by their tags; they commit with the events."""

from collections.abc import Iterable

import sqlalchemy as sa
from sqlalchemy import bindparam as p

from ramax.core.tags import unpack_tags
from ramax.core.unit import SpaceWrite
from ramax.storage.plan import Extra
from ramax.storage.sql import Statement
from ramax.storage.tables import Tables


@Statement
def _insert(t: Tables) -> sa.Insert:
    return sa.insert(t.event_tags).values(
        space_id=p("space_id"), tag=p("tag"), space_sequence=p("sequence")
    )


def tag_rows(writes: Iterable[SpaceWrite]) -> list[Extra]:
    """Make the rows of the tags of new events; nothing where no event has any."""
    rows = [
        {"space_id": write.space_id, "tag": tag, "sequence": event.sequence}
        for write in writes
        for event in write.events
        if event.tags is not None
        for tag in unpack_tags(event.tags)
    ]
    return [Extra(_insert, rows)] if rows else []
