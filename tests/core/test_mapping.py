"""A state is a dict in key order: operation by operation beside a real one."""

from collections.abc import MutableMapping
from copy import deepcopy
from datetime import UTC, datetime
from enum import StrEnum

import pytest

from ramax.core.codec import encode
from ramax.core.mapping import ReadState, WriteState
from ramax.core.state import ReadFailedError, SpaceState, Tagged
from ramax.errors import CodecError, DataError, MisuseError, StorageError
from tests.core._sources import Broken, Stored, packed

START = {"b": {"n": [1, 2]}, "a": 1, "c": None}


ATOM, MAP, TUPLE = b"w", b"t", b"h"


def atom(name):
    return ATOM + bytes([len(name)]) + name.encode()


# %{__struct__: NaiveDateTime, calendar: Calendar.ISO, year: 2024 …} as Erlang writes it
NAIVE_DATETIME = b"\x83" + MAP + (9).to_bytes(4, "big")
NAIVE_DATETIME += atom("__struct__") + atom("Elixir.NaiveDateTime")
NAIVE_DATETIME += atom("calendar") + atom("Elixir.Calendar.ISO")
NAIVE_DATETIME += atom("microsecond") + TUPLE + b"\2a\0a\0"
NAIVE_DATETIME += atom("year") + b"b" + (2024).to_bytes(4, "big")
for name, number in {"month": 2, "day": 29, "hour": 1, "minute": 2, "second": 3}.items():
    NAIVE_DATETIME += atom(name) + b"a" + bytes([number])


class Kind(StrEnum):
    A = "a"
    NEW = "new"


def both(kind=WriteState):
    return deepcopy(dict(sorted(START.items()))), kind(SpaceState(Stored(**START)))


def outcome(work, state):
    try:
        return work(state)
    except (KeyError, TypeError, RuntimeError) as error:
        return type(error)


READS = [
    lambda s: s["a"],
    lambda s: s["c"],
    lambda s: s["missing"],
    lambda s: s[1],
    lambda s: s[None],
    lambda s: s[[]],
    lambda s: s[""],
    lambda s: s["\0"],
    lambda s: s["\ud800"],
    lambda s: s["x" * 2000],
    lambda s: s[Kind.A],
    lambda s: s.get(Kind.A),
    lambda s: Kind.A in s,
    lambda s: Kind.NEW in s,
    lambda s: s.get("a", 5),
    lambda s: s.get("c", 5),
    lambda s: s.get("missing"),
    lambda s: s.get("missing", 5),
    lambda s: s.get(1, 5),
    lambda s: "a" in s,
    lambda s: "c" in s,
    lambda s: "missing" in s,
    lambda s: 1 in s,
    lambda s: None in s,
    lambda s: [] in s,
    lambda s: "\0" in s,
    lambda s: list(s),
    lambda s: list(reversed(s)),
    lambda s: list(s.keys()),
    lambda s: list(s.items()),
    lambda s: list(s.values()),
    lambda s: s.keys() & {"a", "z"},
    lambda s: ("a", 1) in s.items(),
    lambda s: len(s),
    lambda s: bool(s),
    lambda s: s == dict(START),
    lambda s: s == {"a": 1},
    lambda s: dict(START) == s,
    lambda s: s != {},
    lambda s: list(s.copy().items()),
    lambda s: type(s.copy()),
    lambda s: dict(s),
    lambda s: {**s},
    lambda s: [*s],
    lambda s: list((s | {"z": 1, "a": 2}).items()),
    lambda s: list(({"z": 1, "a": 2} | s).items()),
    lambda s: s | 1,
    lambda s: 1 | s,
    lambda s: s["b"] is s["b"],
    lambda s: s["b"] is s.get("b"),
    lambda s: s["b"] is s.copy()["b"],
    lambda s: s["b"]["n"].append(3) or s["b"],
    lambda s: min(s),
    lambda s: hash(s),
]


@pytest.mark.parametrize("kind", [ReadState, WriteState])
@pytest.mark.parametrize("work", READS)
def test_reading_is_as_on_a_dict(kind, work):
    plain, state = both(kind)
    assert outcome(work, state) == outcome(work, plain)


def nest(state):
    state["b"]["n"].append(3)
    state["b"]["m"] = {"deep": [state["b"]["n"]]}


def alias(state):
    shared = [1]
    state["x"], state["y"] = shared, shared
    shared.append(2)
    state["x"].append(3)


def rename(state):
    state["d"] = state.pop("b")
    state["d"]["renamed"] = True


def put_back(state):
    del state["b"]
    assert "b" not in state
    state["b"] = 5


WRITES = [
    lambda s: s.__setitem__("z", {"new": 1}),
    lambda s: s.__setitem__("a", 1),
    lambda s: s.__setitem__("a", True),
    lambda s: s.__delitem__("a"),
    lambda s: s.__delitem__(Kind.A),
    lambda s: s.__delitem__("missing"),
    lambda s: s.__delitem__(7),
    lambda s: s.pop("b"),
    lambda s: s.pop("missing"),
    lambda s: s.pop("missing", 5),
    lambda s: s.pop(Kind.A, 5),
    lambda s: s.popitem(),
    lambda s: s.setdefault("a", 5),
    lambda s: s.setdefault("z", []).append(1),
    lambda s: s.setdefault("b", {}).setdefault("n", []).append(9),
    lambda s: s.setdefault("z"),
    lambda s: s.update({"a": 2, "z": 3}),
    lambda s: s.update([("a", 2), ("z", 3)]),
    lambda s: s.update(a=2, z=3),
    lambda s: s.__ior__({"a": 2, "z": 3}) is s,
    lambda s: s.__ior__([("a", 2)]) is s,
    lambda s: s.clear(),
    lambda s: s.clear() or s.setdefault("b", 7),
    lambda s: s.clear() or s.popitem(),
    nest,
    alias,
    rename,
    put_back,
]


@pytest.mark.parametrize("work", WRITES)
def test_writing_is_as_on_a_dict_in_key_order(work):
    plain, state = both()
    assert outcome(work, state) == outcome(work, plain)
    assert list(state.items()) == sorted(plain.items(), key=lambda pair: pair[0])
    state.settle()
    assert list(state.items()) == sorted(plain.items(), key=lambda pair: pair[0])
    for key, value in plain.items():
        assert type(state[key]) is type(value)


def test_the_state_is_a_mutable_mapping():
    for kind in (ReadState, WriteState):
        assert isinstance(both(kind)[1], MutableMapping)


# -- size changes under an iteration -------------------------------------------------------------


def add_first(state):
    for key in state:
        state["x" + key] = 1


def delete_all(state):
    for key in state:
        del state[key]


def add_last(state):
    for key in state:
        if key == "c":
            state["z"] = 1


def add_between(state):
    keys = iter(state)
    state["z"] = 1
    next(keys)


def add_to_items(state):
    for key, _ in state.items():
        state[key + "x"] = 1


def overwrite(state):
    for key in state:
        state[key] = 7
    return "fine"


def over_a_list(state):
    for key in list(state):
        del state[key]
    return "fine"


def after_an_iteration(state):
    for _ in state:
        break
    state["z"] = 1
    return list(state)[-1]


@pytest.mark.parametrize(
    "work",
    [
        add_first,
        delete_all,
        add_last,
        add_between,
        add_to_items,
        overwrite,
        over_a_list,
        after_an_iteration,
    ],
)
def test_keys_that_come_or_go_under_an_iteration_are_an_error_as_on_a_dict(work):
    plain, state = both()
    assert outcome(work, state) == outcome(work, plain)


# -- events --------------------------------------------------------------------------------------


def test_identity_ends_when_an_event_ends():
    state = WriteState(SpaceState(Stored()))
    value = {"n": [1]}
    state["a"] = state["b"] = value
    state.settle()
    value["n"].append(2)
    assert state["a"] == {"n": [1]}
    state["a"]["n"].append(3)
    assert state["b"] == {"n": [1]}


def test_settling_keeps_only_what_differs():
    space = SpaceState(Stored(same=[1], other=[1], gone=1, read=5))
    state = WriteState(space)
    state["same"].append(2)
    state["same"].pop()
    state["other"].append(2)
    del state["gone"]
    assert state["read"] == 5
    state.settle()
    assert space.pending == {"other": packed([1, 2]), "gone": None}


@pytest.mark.parametrize(("one", "other"), [(1, True), (1, 1.0), (0, -0.0), ([1], (1,))])
def test_a_value_that_only_looks_equal_is_another(one, other):
    for stored in (packed(one), Tagged(b"1", "json")):
        space = SpaceState(Stored(), {"a": stored})
        state = WriteState(space)
        assert "a" in state
        state["a"] = other
        state.settle()
        assert type(state["a"]) is type(other)


def test_a_dict_in_another_order_is_another_value():
    space = SpaceState(Stored(a={"x": 1, "y": 2}))
    state = WriteState(space)
    state["a"]["x"] = state["a"].pop("x")
    state.settle()
    assert list(state["a"]) == ["y", "x"]


def test_a_row_that_came_from_elsewhere_keeps_its_bytes_until_it_is_changed():
    tagged = Tagged(b'{"n": [1]}', "json")
    space = SpaceState(Stored(), {"a": tagged})
    state = WriteState(space)
    assert state["a"] == {"n": [1]}
    state.settle()
    assert space.pending == {}
    state["a"]["n"].append(2)
    state.settle()
    assert space.pending == {"a": packed({"n": [1, 2]})}


def test_a_value_that_can_be_read_but_not_stored_may_be_read():
    tagged = Tagged(NAIVE_DATETIME, "etf")
    space = SpaceState(Stored(), {"a": tagged})
    state = WriteState(space)
    assert state["a"] == datetime(2024, 2, 29, 1, 2, 3, tzinfo=UTC).replace(tzinfo=None)
    state.settle()
    assert space.pending == {}
    state["a"] = [state["a"]]
    with pytest.raises(CodecError, match="naive"):
        state.settle()


@pytest.mark.parametrize("bad", [object(), {1, object()}, "\ud800", b"".join, float])
def test_a_value_that_cannot_be_stored_is_named_when_the_event_ends(bad):
    state = WriteState(SpaceState(Stored()))
    state["card:1"] = {"deep": [bad]}
    with pytest.raises(CodecError, match="pstate value of 'card:1'"):
        state.settle()


@pytest.mark.parametrize("key", [1, None, "", "a\0", "\ud800", "x" * 1025, Kind.NEW])
def test_a_key_that_cannot_be_stored_is_refused_when_it_is_set(key):
    state = WriteState(SpaceState(Stored()))
    with pytest.raises(DataError, match="pstate key"):
        state[key] = 1


# -- what is read --------------------------------------------------------------------------------


def test_a_blind_write_reads_nothing():
    source = Stored(a=1)
    state = WriteState(SpaceState(source))
    state["a"] = 2
    state.settle()
    assert source.asked == []


def test_a_key_is_read_only_when_it_is_asked_for():
    source = Stored(**START)
    state = WriteState(SpaceState(source))
    assert "a" in state
    assert state["a"] == 1
    assert source.asked == ["a"]


# -- commands ------------------------------------------------------------------------------------


def write_operator(state):
    state |= {"a": 2}


@pytest.mark.parametrize(
    "work",
    [
        lambda s: s.__setitem__("a", 1),
        lambda s: s.__delitem__("a"),
        lambda s: s.pop("a"),
        lambda s: s.popitem(),
        lambda s: s.setdefault("z", 1),
        lambda s: s.update({"a": 1}),
        lambda s: s.update(z=1),
        lambda s: s.clear(),
        write_operator,
    ],
)
def test_a_command_may_not_change_a_key(work):
    state = both(ReadState)[1]
    with pytest.raises(MisuseError, match="return events instead"):
        work(state)
    assert dict(state) == START


def test_what_a_command_does_to_a_value_stays_with_it():
    space = SpaceState(Stored(**START))
    state = ReadState(space)
    state["b"]["n"].append(3)
    state.get("b")["x"] = 1
    assert state["b"] == {"n": [1, 2, 3], "x": 1}  # it may work with its own copy
    assert ReadState(space)["b"] == START["b"]
    assert space.pending == {}


# -- failures ------------------------------------------------------------------------------------

EVERY_READ = [
    lambda s: s["a"],
    lambda s: s.get("a", 1),
    lambda s: "a" in s,
    lambda s: list(s),
    lambda s: len(s),
    lambda s: s.copy(),
    lambda s: s == {},
]


@pytest.mark.parametrize("kind", [ReadState, WriteState])
@pytest.mark.parametrize("work", EVERY_READ)
def test_a_storage_failure_is_no_key_error_and_cannot_be_caught_away(kind, work):
    space = SpaceState(Broken())
    with pytest.raises(BaseException) as caught:  # noqa: B017 - that it is no Exception is the point
        work(kind(space))
    assert not isinstance(caught.value, Exception)
    assert space.failure is caught.value


def test_a_read_failure_carries_the_error_for_the_caller():
    error = StorageError("disk gone")
    assert ReadFailedError(error).error is error


@pytest.mark.parametrize("kind", [ReadState, WriteState])
def test_a_damaged_value_is_not_a_missing_one(kind):
    space = SpaceState(Stored(), {"a": b"\xc1"})
    state = kind(space)
    assert "a" in state
    with pytest.raises(CodecError):
        state.get("a")
    assert isinstance(space.failure, CodecError)


def test_encoding_is_what_the_store_writes():
    space = SpaceState(Stored())
    state = WriteState(space)
    state["a"] = {"x": (1, 2)}
    state.settle()
    assert space.pending["a"] == encode({"x": (1, 2)}, "a")
