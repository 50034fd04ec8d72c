"""Statements of projections: confined to their space, compiled once, grouped."""

import datetime as dt

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

import ramax
from ramax import MisuseError
from ramax.core.projections import Upsert
from ramax.storage import projections
from ramax.storage.tables import build_tables
from tests._orders import create_tables, orders, rows_of, selected, totals

other = sa.Table("other", sa.MetaData(), sa.Column("order_id", sa.Text))
kinds = sa.Table(
    "kinds",
    sa.MetaData(),
    sa.Column("space_id", sa.BigInteger, primary_key=True),
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("at", sa.DateTime(timezone=False)),
    sa.Column("data", sa.JSON),
    sa.Column("price", sa.Numeric(10, 2)),
    sa.Column("odd name", sa.Boolean),
)
search = ramax.Domain("d").projection("search", into=[orders, totals, kinds])
dialects = pytest.mark.parametrize("dialect", ["sqlite", "postgresql"])


def bound(dialect, statement, space_id=7):
    return projections.bind(build_tables(dialect), space_id, search, statement)


def text(shape):
    return shape.on(build_tables("sqlite")).text


INSERT = sa.insert(orders).values(order_id="1", status="x")
UPDATE = sa.update(orders).where(orders.c.order_id == "1").values(status="x")
DELETE = sa.delete(orders).where((orders.c.order_id == "1") | (orders.c.status == "x"))


@dialects
@pytest.mark.parametrize("statement", [INSERT, UPDATE, DELETE, sa.delete(orders)])
def test_every_statement_names_the_space(dialect, statement):
    shape, row = bound(dialect, statement)
    assert "space_id" in text(shape)
    assert row["space_id"] == 7
    assert 7 in row["arguments"]


@dialects
def test_statements_of_one_shape_are_compiled_once(dialect):
    one, _ = bound(dialect, INSERT)
    two, row = bound(dialect, sa.insert(orders).values(order_id="2", status="y"), 8)
    assert two is one
    assert sorted(map(str, row["arguments"])) == ["2", "8", "y"]
    other_shape, _ = bound(dialect, sa.insert(orders).values(order_id="2", status="y", seen=1))
    assert other_shape is not one


WRONG = {
    "not a statement": "DELETE FROM shop_orders",
    "a query": sa.select(orders),
    "another table": sa.delete(other),
    "the space, inserted": INSERT.values(space_id=1),
    "the space, updated": UPDATE.values({orders.c.space_id: 1}),
    "the space, updated in an order": sa.update(orders).ordered_values(
        ("status", "x"), ("space_id", 1)
    ),
    "the space, upserted": Upsert(totals, {"event_type": "x", "count": 1, "space_id": 1}),
    "the space, changed": Upsert(totals, {"event_type": "x", "count": 1}, {"space_id": 1}),
    "no key": Upsert(totals, {"count": 1}),
    "text": sa.delete(orders).where(sa.text("1 = 1 OR 1 = 1")),
    "a literal column": UPDATE.values(status=sa.literal_column("(SELECT 1)")),
    "a subquery": UPDATE.values(status=sa.select(other.c.order_id).scalar_subquery()),
    "exists": sa.delete(orders).where(sa.exists().where(other.c.order_id == orders.c.order_id)),
    "rows of a query": sa.insert(orders).from_select(["order_id"], sa.select(other.c.order_id)),
    "a second table": UPDATE.where(other.c.order_id == orders.c.order_id),
    "a list": sa.delete(orders).where(orders.c.order_id.in_(["1", "2"])),
    "several rows": sa.insert(orders).values([{"order_id": "1"}, {"order_id": "2"}]),
    "on conflict": sqlite.insert(orders).values(order_id="1").on_conflict_do_nothing(),
    "on conflict of PostgreSQL": postgresql.insert(orders)
    .values(order_id="1")
    .on_conflict_do_update(index_elements=["order_id"], set_={"space_id": 1}),
    "an expression with a query": Upsert(
        totals,
        {"event_type": "x", "count": 1},
        {"count": sa.select(sa.func.max(totals.c["count"])).scalar_subquery()},
    ),
    "a parameter without value": UPDATE.values(status=sa.bindparam("later")),
}


@dialects
@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG.keys())
def test_what_could_reach_another_space_is_refused(dialect, wrong):
    with pytest.raises(MisuseError):
        bound(dialect, wrong)


@dialects
def test_defaults_in_python_are_not_what_a_pure_handler_said(dialect):
    column = sa.Column("made", sa.Text, default=lambda: "now")
    keys = [sa.Column(n, sa.Integer, primary_key=True) for n in ("space_id", "id")]
    table = sa.Table("impure", sa.MetaData(), *keys, column)
    impure = ramax.Domain("d").projection("impure", into=table)
    with pytest.raises(MisuseError, match="made"):
        projections.bind(build_tables(dialect), 1, impure, sa.insert(table).values(id=1))
    projections.bind(build_tables(dialect), 1, impure, sa.insert(table).values(id=1, made="x"))


@dialects
def test_one_shape_on_each_table_is_one_call(dialect):
    made = [
        bound(dialect, statement)
        for number in range(10)
        for statement in (
            sa.insert(orders).values(order_id=str(number), status="x"),
            Upsert(totals, {"event_type": "x", "count": number}),
        )
    ]
    assert [len(extra.rows) for extra in projections.grouped(made)] == [10, 10]


@dialects
def test_statements_on_one_table_keep_their_order(dialect):
    made = [bound(dialect, each) for each in (INSERT, INSERT, UPDATE, INSERT)]
    assert [len(extra.rows) for extra in projections.grouped(made)] == [2, 1, 1]


def test_tables_that_refer_to_each_other_keep_their_common_order():
    metadata = sa.MetaData()
    parent = sa.Table(
        "parent",
        metadata,
        sa.Column("space_id", sa.Integer, primary_key=True),
        sa.Column("id", sa.Integer, primary_key=True),
    )
    child = sa.Table(
        "child",
        metadata,
        sa.Column("space_id", sa.Integer, primary_key=True),
        sa.Column("id", sa.Integer, primary_key=True),
        sa.ForeignKeyConstraint(["space_id", "id"], [parent.c.space_id, parent.c.id]),
    )
    both = ramax.Domain("d").projection("both", into=[parent, child])
    made = [
        projections.bind(build_tables("sqlite"), 1, both, sa.insert(table).values(id=number))
        for number in (1, 2)
        for table in (parent, child)
    ]
    assert [len(extra.rows) for extra in projections.grouped(made)] == [1, 1, 1, 1]


async def test_an_upsert_inserts_and_then_changes(db):
    await create_tables(db)
    store = await db.content_store("a")
    first = await store.events.append("e", "t", {})

    def work(ex):
        for status in ("new", "old"):
            row = Upsert(orders, {"order_id": "1", "status": status})
            projections.run(ex, [projections.bind(ex.tables, first.space_id, search, row)])
        more = Upsert(orders, {"order_id": "1", "status": "x"}, {"seen": orders.c.seen + 1})
        projections.run(ex, [projections.bind(ex.tables, first.space_id, search, more)] * 3)
        keep = Upsert(orders, {"order_id": "1", "status": "x"}, {})
        projections.run(ex, [projections.bind(ex.tables, first.space_id, search, keep)])

    await db._core.locked("test", work)
    store = await db.content_store("a")
    assert await rows_of(db, store) == [("1", "old", 4)]


async def test_values_of_every_type_arrive_as_sqlalchemy_would_have_written_them(db):
    from decimal import Decimal  # noqa: PLC0415
    from uuid import UUID  # noqa: PLC0415

    async with db.connection() as connection:
        await connection.run_sync(kinds.metadata.create_all)
        await connection.commit()
    space = await db.spaces.get_or_create("a")
    values = {
        "id": UUID(int=7),
        "at": dt.datetime(2026, 1, 2, 3, 4, 5),  # noqa: DTZ001 - a column without a time zone
        "data": {"a": [1, None]},
        "price": Decimal("1.50"),
        "odd name": True,
    }

    def work(ex):
        row = projections.bind(ex.tables, space.space_id, search, sa.insert(kinds).values(values))
        projections.run(ex, [row])

    await db._core.locked("test", work)
    columns = [kinds.c[name] for name in values]
    assert await selected(db, sa.select(*columns)) == [tuple(values.values())]
