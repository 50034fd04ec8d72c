from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest

from ramax.core import codec
from ramax.core.elixir import struct_value
from ramax.errors import CodecError
from ramax.values import Ref

DATE = {"calendar": "Elixir.Calendar.ISO", "year": 2024, "month": 2, "day": 29}
TIME = {
    "calendar": "Elixir.Calendar.ISO",
    "hour": 23,
    "minute": 59,
    "second": 58,
    "microsecond": (120_000, 2),
}
UTC_ZONE = {"utc_offset": 0, "std_offset": 0, "time_zone": "Etc/UTC", "zone_abbr": "UTC"}
BERLIN = {"utc_offset": 3600, "std_offset": 3600, "time_zone": "Europe/Berlin", "zone_abbr": "CEST"}
NAIVE = datetime(2024, 2, 29, 23, 59, 58, 120_000, tzinfo=UTC).replace(tzinfo=None)


def a_struct(module: str, /, **fields: Any) -> dict[str, Any]:
    return {"__struct__": f"Elixir.{module}", **fields}


@pytest.mark.parametrize(
    ("fields", "value"),
    [
        (a_struct("PState.Ref", key="card:1"), Ref("card:1")),
        (a_struct("Date", **DATE), date(2024, 2, 29)),
        (a_struct("Time", **TIME), time(23, 59, 58, 120_000)),
        (a_struct("NaiveDateTime", **DATE | TIME), NAIVE),
        (a_struct("DateTime", **DATE | TIME | UTC_ZONE), NAIVE.replace(tzinfo=UTC)),
        (
            a_struct("DateTime", **DATE | TIME | BERLIN),
            NAIVE.replace(tzinfo=timezone(timedelta(hours=2))),
        ),
        (a_struct("Decimal", sign=1, coef=150, exp=-2), Decimal("1.50")),
        (a_struct("Decimal", sign=-1, coef=0, exp=0), Decimal("-0")),
        (a_struct("Decimal", sign=-1, coef="inf", exp=0), Decimal("-Infinity")),
        (a_struct("MapSet", map={"a": [], 1: []}, version=2), {"a", 1}),
        (a_struct("MapSet", map={}), set()),
        (a_struct("Range", first=1, last=3, step=1), range(1, 4)),
        (a_struct("Range", first=3, last=1), range(3, 0, -1)),
        (a_struct("Range", first=1, last=0, step=1), range(0)),
        (a_struct("Range", first=0, last=10, step=5), range(0, 11, 5)),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_known_struct_becomes_its_python_value(fields, value):
    found = struct_value(fields)
    assert found == value
    assert type(found) is type(value)
    if isinstance(found, datetime):
        assert found.utcoffset() == value.utcoffset()
    if isinstance(found, Decimal):
        assert str(found) == str(value)


def test_a_decimal_that_is_no_number_is_one_in_python_too():
    assert struct_value(a_struct("Decimal", sign=1, coef="NaN", exp=0)).is_nan()


@pytest.mark.parametrize(
    "fields",
    [
        a_struct("My.App.User", id=1, name="x"),
        {"__struct__": 5, "key": "a"},
        a_struct("PState.Ref", key=None),
        a_struct("PState.Ref", key="a", extra=1),
        a_struct("PState.Ref"),
        a_struct("Date", **DATE | {"year": -1}),
        a_struct("Date", **DATE | {"month": True}),
        a_struct("Date", **DATE | {"calendar": "Elixir.Cldr.Calendar.Coptic"}),
        a_struct("Time", **TIME | {"second": 60}),
        a_struct("Time", **TIME | {"microsecond": 5}),
        a_struct("Time", **TIME | {"microsecond": (1,)}),
        a_struct("DateTime", **DATE | TIME | UTC_ZONE | {"utc_offset": 10**20}),
        a_struct("DateTime", **DATE | TIME | UTC_ZONE | {"utc_offset": None}),
        a_struct("Decimal", sign=1, coef=[1], exp=0),
        a_struct("Decimal", sign=1, coef=-1, exp=0),
        a_struct("Decimal", sign=1, coef="qNaN", exp=0),
        a_struct("Decimal", sign=2, coef=1, exp=0),
        a_struct("Decimal", sign=1, coef=1, exp=10**30),
        a_struct("Decimal", sign=1, coef=10**5000, exp=0),
        a_struct("MapSet", map=[1], version=2),
        a_struct("Range", first=1, last=2, step=0),
        a_struct("Range", first="a", last=2, step=1),
    ],
    ids=lambda fields: str(fields["__struct__"]),
)
def test_any_other_struct_stays_the_dict_that_it_is(fields):
    assert struct_value(dict(fields)) == fields


def test_all_values_but_naive_datetimes_can_be_stored_again():
    for value in (struct_value(a_struct("Range", first=1, last=3, step=1)), {"a"}, Ref("a")):
        assert codec.decode(codec.encode(value, "value")) == value
    with pytest.raises(CodecError, match="naive"):
        codec.encode(NAIVE, "value")
