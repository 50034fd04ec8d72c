import re
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import msgpack

from ramax.core import codec, extensions
from ramax.values import Ref

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "wire-format.md"


def test_the_wire_format_never_changes():
    written: dict[Any, str] = {
        2**64: "c70901010000000000000000",
        -(2**63) - 1: "c70901ff7fffffffffffffff",
        (1, "a"): "d602" + "9201a161",
        frozenset({"b", "a"}): "c70504" + "92a161a162",
        datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC): "d6ff" + "65937d25",
        datetime(2024, 1, 2, 3, 4, 5, 6, tzinfo=UTC): "d7ff" + "00005dc065937d25",
        datetime(2024, 1, 2, tzinfo=timezone(timedelta(hours=1))): "c71905"
        + b"2024-01-02T00:00:00+01:00".hex(),
        date(2024, 1, 2): "c70a06" + b"2024-01-02".hex(),
        time(1, 2, 3): "d707" + b"01:02:03".hex(),
        timedelta(seconds=1): "c70308" + "0f4240",
        Decimal("1.50"): "d609" + b"1.50".hex(),
        UUID(int=1): "d80a" + "00" * 15 + "01",
        Ref("k:1"): "c7030b" + b"k:1".hex(),
        range(0, 10, 2): "c7060c" + b"0:10:2".hex(),
    }
    assert {value: codec.encode(value, "v").hex() for value in written} == written
    assert codec.encode({2, 1}, "v").hex() == "c70303" + "920102"


def test_the_page_and_the_module_list_the_codes_that_are_written():
    values: list[Any] = [2**64, (), set(), frozenset(), date.min, time.min, timedelta()]
    values += [Decimal(0), UUID(int=0), Ref("k"), range(0)]
    values.append(datetime(2024, 1, 1, tzinfo=timezone(timedelta(hours=1))))
    written = {
        msgpack.unpackb(codec.encode(value, "v"), ext_hook=lambda code, _body: code)
        for value in values
    }
    text = PAGE.read_text(encoding="utf-8")
    assert written == {int(code) for code in re.findall(r"^\| (\d+) \|", text, re.MULTILINE)}
    listed = re.findall(r"^    (\d+)  +\w", extensions.__doc__ or "", re.MULTILINE)
    assert written == {int(code) for code in listed}
    assert f"Codes {max(written) + 1} to 127 are free" in text
