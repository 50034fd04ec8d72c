"""Projections as they are declared: what a table must have, what a handler may be."""

from typing import Any

import pytest
import sqlalchemy as sa

from ramax import DataError, Domain, MisuseError
from ramax.values import applied_event


def table(name="t", *more, key=("space_id", "id")):
    columns = [sa.Column(each, sa.Integer, primary_key=True) for each in key]
    return sa.Table(name, sa.MetaData(), *columns, *more)


def event(event_type="a", payload=None):
    return applied_event(1, "e", event_type, payload or {}, 0, None, None, None)


@pytest.mark.parametrize(
    "bad",
    [
        table(key=("id",)),
        table("t", sa.Column("space_id", sa.Integer), key=("id",)),
        table("t", sa.Column("mail", sa.Text, unique=True)),
        table("t", sa.Column("x", sa.Text), sa.UniqueConstraint("x")),
        table("t", sa.Column("x", sa.Text), sa.Index("u", "x", unique=True)),
        sa.Table("t", sa.MetaData(), sa.Column("space_id", sa.Integer)),
    ],
)
def test_a_table_in_which_two_spaces_could_meet_is_refused(bad):
    with pytest.raises(DataError, match="space_id"):
        Domain("d").projection("search", into=[bad])


def test_other_indexes_need_no_space():
    good = table("t", sa.Column("x", sa.Text), sa.Index("i", "x"))
    assert Domain("d").projection("search", into=good).tables == (good,)


@pytest.mark.parametrize("into", [[], None, ["t"], 3])
def test_what_is_no_table_is_refused(into):
    with pytest.raises(MisuseError):
        Domain("d").projection("search", into=into)


@pytest.mark.parametrize("name", ["", "pstate", "a/b", "x" * 201, 3])
def test_a_name_is_that_of_a_checkpoint_of_its_own(name):
    with pytest.raises(DataError):
        Domain("d").projection(name, into=table())


def test_a_mode_is_inline_or_async():
    with pytest.raises(DataError, match="inline"):
        Domain("d").projection("search", into=table(), mode="later")  # type: ignore[arg-type]


def test_names_and_tables_are_not_shared():
    domain, one = Domain("d"), table()
    domain.projection("search", into=one)
    with pytest.raises(MisuseError, match="two projections"):
        domain.projection("search", into=table("u"))
    with pytest.raises(MisuseError, match="both fill"):
        domain.projection("other", into=[table("u"), one])


def test_a_handler_returns_or_yields_statements_or_nothing():
    search = Domain("d").projection("search", into=table())
    search.on("one")(lambda event: event.payload)
    search.on("none")(lambda event: None)

    @search.on("some", "more")
    def some(event):
        yield 1
        yield 2

    assert search.statements(event("one", {"x": 1})) == ({"x": 1},)
    assert list(search.statements(event("none"))) == list(search.statements(event("other"))) == []
    assert search.statements(event("more")) == [1, 2]
    assert search.event_types == {"one", "none", "some", "more"}


def test_a_handler_is_a_plain_function_and_alone():
    search = Domain("d").projection("search", into=table())

    async def late(event):
        """Never runs."""

    async def late_and_many(event):
        yield 1

    wrongs: list[Any] = [late, late_and_many, 3]
    for wrong in wrongs:
        with pytest.raises(MisuseError, match="plain function"):
            search.on("a")(wrong)
    search.on("a")(lambda event: late(event))
    with pytest.raises(MisuseError, match="without I/O"):
        search.statements(event("a"))
    with pytest.raises(MisuseError, match="twice"):
        search.on("a")(lambda event: None)
    with pytest.raises(MisuseError, match="data types"):
        search.on("ramax.kv.put")
        search.on("ramax.kv.put")(lambda event: None)
    with pytest.raises(MisuseError, match="event types"):
        search.on()


def test_a_domain_in_use_takes_no_more():
    domain = Domain("d")
    search = domain.projection("search", into=table())
    domain.freeze()
    with pytest.raises(MisuseError, match="in use"):
        domain.projection("other", into=table("u"))
    with pytest.raises(MisuseError, match="in use"):
        search.on("a")(lambda event: None)


def test_combined_domains_have_the_projections_of_all():
    one, two = Domain("one"), Domain("two")
    one.projection("search", into=table())
    two.projection("totals", into=table("u"), mode="async")
    both = Domain.combine(one, two)
    assert [p.name for p in both.projections] == ["search", "totals"]
    assert both.projections.inline_names == {"search"}


def test_rows_follow_the_order_of_all_replicas_unless_any_order_will_do():
    domain = Domain("d")
    assert domain.projection("one", into=table()).order == "canonical"
    assert domain.projection("two", into=table(), order="any").order == "any"
    with pytest.raises(DataError, match="'any', 'canonical'"):
        domain.projection("three", into=table(), order="arrival")  # type: ignore[arg-type]
    assert domain.projections.get("three") is None
