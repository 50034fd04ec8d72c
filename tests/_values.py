"""Values that a payload, a pstate value or metadata may hold, and what must not come in."""

from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID

from hypothesis import strategies as st

from ramax import Ref

EVERY_TYPE: dict[str, Any] = {
    "none": None,
    "true": True,
    "false": False,
    "int": 7,
    "negative": -7,
    "int64": [-(2**63), 2**63 - 1, 2**64 - 1],
    "beyond 64 bit": [2**64, -(2**63) - 1, 10**60, -(10**60)],
    "float": [0.0, -0.0, 1.5, 1e308, float("inf"), 1.0],
    "text": ["", "a", "Grüße ☕ 你好 \U0001f600", "line\nline", "\x00", "0"],
    "bytes": [b"", b"\x00\xff", bytes(range(256))],
    "aware": datetime(2024, 2, 29, 23, 59, 59, 999999, tzinfo=UTC),
    "before 1970": datetime(1901, 1, 1, tzinfo=UTC),
    "offset": datetime(2024, 1, 1, 12, tzinfo=timezone(timedelta(hours=5, minutes=30))),
    "date": date(2024, 2, 29),
    "time": time(23, 59, 59, 1),
    "timedelta": timedelta(days=-1, microseconds=1),
    "decimal": [Decimal("1.10"), Decimal("-0"), Decimal("1E+400"), Decimal("Infinity")],
    "uuid": UUID("12345678-1234-5678-1234-567812345678"),
    "ref": [Ref("card:c1"), Ref("card", "c1")],
    "tuple": (1, ("a", ()), [2]),
    "set": {1, "a", (2, 3)},
    "frozenset": frozenset({1, frozenset({2})}),
    "range": range(0, 10, 2),
    "list": [[], [[]], [1, "a", None]],
    "dict": {"": {}, "nested": {"deeper": {"still": [{"a": 1}]}}},
    "keys": {1: "int", (1, 2): "tuple", None: "none", False: "bool", b"b": "bytes"},
    "key types": {date(2024, 1, 1): 1, Decimal(2): 2, UUID(int=3): 3, frozenset({4}): 4},
}
"""One of every type that can be stored, by what it shows."""


def same(one: Any, other: Any) -> bool:
    """Equal, and of the same types all the way down; 1, 1.0 and True differ."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return [*map(_marked, one)] == [*map(_marked, other)] and all(
            same(one[key], other[key]) for key in one
        )
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(same(a, b) for a, b in zip(one, other, strict=True))
    if isinstance(one, (set, frozenset)):
        return sorted(map(_marked, one)) == sorted(map(_marked, other))
    if isinstance(one, datetime):
        return bool(one == other and one.utcoffset() == other.utcoffset())
    return repr(one) == repr(other)


def _marked(value: Any) -> str:
    items = (
        sorted(map(_marked, value))
        if isinstance(value, (set, frozenset))
        else list(map(_marked, value))
        if isinstance(value, tuple)
        else repr(value)
    )
    return f"{type(value).__name__}:{items}"


_text = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
_scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(-(2**70), 2**70),
    st.floats(allow_nan=False),
    _text,
    st.binary(max_size=8),
    st.datetimes(timezones=st.just(UTC)).map(lambda moment: moment.replace(fold=0)),
    st.dates(),
    st.decimals(allow_nan=False),
    st.uuids(),
    st.builds(Ref, _text),
)
_hashable = st.recursive(
    _scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(tuple), st.frozensets(inner, max_size=3)
    ),
    max_leaves=4,
)
values = st.recursive(
    _scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.lists(inner, max_size=3).map(tuple),
        st.sets(_hashable, max_size=3),
        st.frozensets(_hashable, max_size=3),
        st.dictionaries(_text, inner, max_size=4),
        st.dictionaries(_hashable, inner, max_size=3),
    ),
    max_leaves=12,
)
"""Any nested value that can be stored."""

payloads = st.dictionaries(_text, values, max_size=4)


class Text(str):
    """Comes back as str, so it is refused."""

    __slots__ = ()


UNSTORABLE: list[Any] = [
    object(),
    1j,
    "\ud800",
    ["\ud800"],
    {"\udfff": 1},
    datetime(2024, 1, 1),  # noqa: DTZ001 - naive on purpose
    Text("a"),
    bytearray(b"a"),
    lambda: None,
    type,
    {"a": [object()]},
    iter([1]),
]
"""What cannot come back as it was."""
