"""A diary whose pages depend on the order of what was written: for tests of late events."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

import ramax
from ramax import Domain, NewEvent
from ramax.core.ordering import Order
from ramax.core.projections import ProjectionMode
from ramax.core.sync.record import EventRecord
from ramax.testing.records import record

ONE = b"device-of-origin"
TWO = b"server-of-origin"

metadata = sa.MetaData()
pages = sa.Table(
    "diary_pages",
    metadata,
    sa.Column("space_id", sa.BigInteger, primary_key=True),
    sa.Column("page", sa.Text, primary_key=True),
    sa.Column("text", sa.Text, nullable=False),
)


def diary(mode: ProjectionMode = "inline", order: Order = "canonical") -> Domain:
    """Make a domain whose projection ``pages`` joins values and numbers in their order."""
    domain = Domain("diary")

    @domain.applicator("note.written")
    def was_written(state: Any, event: Any) -> None:
        state[f"page:{event.entity_id}"] = (
            f"{state.get(f'page:{event.entity_id}', '')}{event.payload['value']};"
        )

    projection = domain.projection("pages", into=pages, mode=mode, order=order)

    @projection.on("note.written")
    def on_page(event: Any) -> Any:
        said = f"{event.payload['value']}@{event.space_sequence};"
        if event.payload["value"] == "unreadable":
            raise ValueError("unreadable")
        return projection.upsert(
            pages, {"page": event.entity_id, "text": said}, {"text": pages.c.text + said}
        )

    return domain


def write(_state: Any, params: Any) -> list[NewEvent]:
    """Write values on a page: ``("p", ["a", "b"])``."""
    page, values = params
    return [NewEvent("note.written", {"value": value}, entity_id=page) for value in values]


def note(origin: bytes, seq: int, value: str, stamp: int, page: str = "p") -> EventRecord:
    """Make what another replica wrote, at a time in ms."""
    return record(origin, seq, value, stamp=stamp << 16, entity_id=page)


async def create_tables(db: ramax.Database) -> None:
    async with db.connection() as connection:
        await connection.run_sync(metadata.create_all)
        await connection.commit()


async def pages_of(db: ramax.Database, store: ramax.ContentStore) -> Sequence[tuple[Any, ...]]:
    """The rows of a space as they are: page, and what is on it."""
    mine = sa.select(pages.c.page, pages.c.text).where(pages.c.space_id == store.space.space_id)
    async with db.connection() as connection:
        rows = (await connection.execute(mine.order_by(pages.c.page))).all()
        await connection.rollback()
    return [tuple(row) for row in rows]


async def words_of(db: ramax.Database, store: ramax.ContentStore, page: str = "p") -> list[str]:
    """The values on a page in their order, without the numbers."""
    text = dict(await pages_of(db, store)).get(page, "")
    return [each.partition("@")[0] for each in text.split(";")[:-1]]
