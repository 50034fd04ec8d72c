import pytest
import sqlalchemy as sa

from ramax.storage.sql import Statement, along, beside, unnest
from ramax.storage.tables import build_tables

SQLITE = build_tables("sqlite")


def test_a_statement_is_built_and_compiled_once_for_each_set_of_tables():
    built = []

    @Statement
    def statement(t):
        built.append(t)
        return sa.select(t.spaces.c.space_id)

    elsewhere = build_tables("postgresql", "elsewhere")
    assert statement.on(SQLITE) is statement.on(SQLITE)
    assert "elsewhere.spaces" in statement.on(elsewhere).text
    assert built == [SQLITE, elsewhere]


def test_literals_are_parameters_with_a_value_of_their_own():
    spaces = SQLITE.spaces.c
    sql = Statement(
        lambda _: sa.select(spaces.space_id).where(
            spaces.space_name == sa.bindparam("name"), spaces.created_at > 7
        )
    ).on(SQLITE)
    assert sql.text.count("?") == 2
    assert sql.arguments({"name": "s"}) == ["s", 7]


def test_named_parameters_go_into_the_order_of_the_driver_and_none_may_be_missing():
    e = SQLITE.events.c
    sql = Statement(
        lambda _: sa.select(e.payload).where(
            e.space_sequence == sa.bindparam("b"), e.space_id == sa.bindparam("a")
        )
    ).on(SQLITE)
    assert sql.arguments({"a": 1, "b": 2}) == [2, 1]
    assert sql.arguments({"a": None, "b": 2}) == [2, None]
    with pytest.raises(KeyError):
        sql.arguments({"a": 1})


def test_a_tuple_is_passed_on_as_it_is():
    sql = Statement(lambda _: sa.select(sa.bindparam("x"))).on(SQLITE)
    given = (5,)
    assert sql.arguments(given) is given


@pytest.mark.postgres
async def test_arrays_become_rows_in_their_order(db_on_postgres):
    @Statement
    def zipped(_):
        w = unnest("w", number=sa.BigInteger(), word=sa.Text())
        return sa.select(w.c.number, w.c.word)

    def read(numbers, names):
        return db_on_postgres._core.read(
            lambda ex: [tuple(r) for r in ex.rows(zipped, {"w_number": numbers, "w_word": names})]
        )

    assert await read([2, 1], ["b", None]) == [(2, "b"), (1, None)]
    assert await read([], []) == []


def test_bounds_go_with_the_column_before_them_on_postgresql():
    def entity(t):
        e = t.events.c
        bounds = ("after", "upto")
        return sa.select(e.payload).where(
            *along(t, (e.entity_id, e.space_sequence), "entity_id", bounds)
        )

    sqlite = Statement(entity).on(SQLITE)
    assert sqlite.names == ("entity_id", "after", "upto")
    assert "space_sequence > ?" in sqlite.text
    postgres = Statement(entity).on(build_tables("postgresql"))
    assert "(events.entity_id, events.space_sequence) > (" in postgres.text
    assert "(events.entity_id, events.space_sequence) <= (" in postgres.text


@pytest.mark.parametrize(("outer", "join"), [(False, "JOIN"), (True, "LEFT OUTER JOIN")])
def test_one_row_is_searched_for_beside_each_on_postgresql(outer, join):
    def tagged(t):
        g, e = t.event_tags, t.events
        same = (e.c.space_id == g.c.space_id) & (e.c.space_sequence == g.c.space_sequence)
        source, event = beside(t, g, e, same, outer=outer)
        return sa.select(g.c.tag, event.c.payload).select_from(source)

    sqlite = Statement(tagged).on(SQLITE).text
    assert f"event_tags {join} events ON" in sqlite
    postgres = Statement(tagged).on(build_tables("postgresql")).text
    assert f"event_tags {join} LATERAL (SELECT" in postgres
    assert "LIMIT 1) AS its" in postgres
