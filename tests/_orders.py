"""Orders, with a read model in tables of the application: what tests of projections project."""

from collections.abc import Iterator, Sequence
from typing import Any

import sqlalchemy as sa

import ramax
from ramax import Domain, NewEvent
from ramax.core.projections import Projection, ProjectionMode, Upsert

metadata = sa.MetaData()
orders = sa.Table(
    "shop_orders",
    metadata,
    sa.Column("space_id", sa.BigInteger, primary_key=True),
    sa.Column("order_id", sa.Text, primary_key=True),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("seen", sa.Integer, nullable=False, server_default="1"),
)
totals = sa.Table(
    "shop_totals",
    metadata,
    sa.Column("space_id", sa.BigInteger, primary_key=True),
    sa.Column("event_type", sa.Text, primary_key=True),
    sa.Column("count", sa.Integer, nullable=False),
)


def shop(mode: ProjectionMode = "inline", name: str = "shop") -> Domain:
    """Make a domain with a projection ``search`` that counts, so that twice is not once."""
    domain = Domain(name, entity_id=lambda payload: f"order:{payload['order']}")

    @domain.applicator("placed", "paid", "cancelled")
    def fold(state: Any, event: Any) -> None:
        state[event.entity_id] = event.event_type

    search = domain.projection("search", into=[orders, totals], mode=mode)
    handle(search)
    return domain


def search_of(domain: Domain) -> Projection:
    found = domain.projections.get("search")
    assert found is not None
    return found


def handle(search: Projection) -> None:
    @search.on("placed")
    def placed(event: Any) -> Iterator[Any]:
        yield sa.insert(orders).values(order_id=event.payload["order"], status="placed")
        yield counted(search, event)

    @search.on("paid")
    def paid(event: Any) -> Iterator[Any]:
        yield (
            sa.update(orders)
            .where(orders.c.order_id == event.payload["order"])
            .values(status="paid", seen=orders.c.seen + 1)
        )
        yield counted(search, event)

    @search.on("cancelled")
    def cancelled(event: Any) -> Iterator[Any]:
        yield sa.delete(orders).where(orders.c.order_id == event.payload["order"])
        yield counted(search, event)


def counted(search: Projection, event: Any) -> Upsert:
    return search.upsert(
        totals,
        {"event_type": event.event_type, "count": 1},
        {"count": totals.c["count"] + 1},
    )


def add(_state: Any, params: Any) -> list[NewEvent]:
    """Events of one type for some orders: ``("placed", ["1", "2"])``."""
    event_type, numbers = params
    return [NewEvent(event_type, {"order": number}) for number in numbers]


async def create_tables(db: ramax.Database) -> None:
    async with db.connection() as connection:
        await connection.run_sync(metadata.create_all)
        await connection.commit()


async def rows_of(db: ramax.Database, store: ramax.ContentStore) -> Sequence[tuple[Any, ...]]:
    """The orders of a space: id, status and how many events each has seen."""
    return await selected(
        db,
        sa.select(orders.c.order_id, orders.c.status, orders.c.seen)
        .where(orders.c.space_id == store.space.space_id)
        .order_by(orders.c.order_id),
    )


async def totals_of(db: ramax.Database, store: ramax.ContentStore) -> dict[str, int]:
    """How many events of each type the projection of a space has seen."""
    mine = sa.select(totals.c.event_type, totals.c["count"]).where(
        totals.c.space_id == store.space.space_id
    )
    return {row[0]: row[1] for row in await selected(db, mine)}


async def selected(
    db: ramax.Database, statement: sa.Select[*tuple[Any, ...]]
) -> Sequence[tuple[Any, ...]]:
    async with db.connection() as connection:
        rows = (await connection.execute(statement)).all()
        await connection.rollback()
    return [tuple(row) for row in rows]
