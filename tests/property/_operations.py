"""What an applicator can do to a state, as data: the same lists run on a store and on a dict."""

from collections.abc import Callable, MutableMapping
from datetime import UTC, timedelta, timezone
from typing import Any

from hypothesis import strategies as st

from ramax import Ref

KEYS = ("a", "b", "card:1", "é", "\U0001f600", "￿", "B")
"""In code point order é < ￿ < the emoji; in UTF-16 the last two would change places."""

State = MutableMapping[str, Any]


def run(state: State, operations: list[list[Any]], payload: dict[str, Any]) -> None:
    """Do one event's operations, each a list of its name and arguments."""
    for name, *arguments in operations:
        OPERATIONS[name](state, payload, *arguments)


def _set(state: State, _: Any, key: str, value: Any) -> None:
    state[key] = value


def _nest(state: State, _: Any, key: str, value: Any) -> None:
    """Change a value in place, one level below the key."""
    found = state.get(key)
    if isinstance(found, dict):
        found["nested"] = value
        found.setdefault("log", []).append(len(found))
    elif isinstance(found, list):
        found.append(value)
        found.reverse()
    elif isinstance(found, set):
        found.add(len(found))
    else:
        state[key] = {"was": found}


def _deep(state: State, _: Any, key: str, value: Any) -> None:
    """Change a value in place, two levels below the key."""
    outer = state.setdefault(key, {})
    if isinstance(outer, dict):
        inner = outer.setdefault("nested", [])
        if isinstance(inner, list):
            inner.append(value)
        elif isinstance(inner, dict):
            inner["deep"] = value


def _delete(state: State, _: Any, key: str) -> None:
    if key in state:
        del state[key]


def _delete_blindly(state: State, _: Any, key: str) -> None:
    del state[key]  # a KeyError fails the command


def _pop(state: State, _: Any, key: str, into: str) -> None:
    state[into] = [state.pop(key, "none")]


def _pop_item(state: State, _: Any) -> None:
    if len(state) == 0:
        return
    last = max(state)
    popped = (last, state.pop(last)) if isinstance(state, dict) else state.popitem()
    state["popped"] = list(popped)


def _setdefault(state: State, _: Any, key: str, value: Any) -> None:
    found = state.setdefault(key, value)
    if isinstance(found, list):
        found.append("default")


def _update(state: State, _: Any, values: dict[str, Any]) -> None:
    state.update(values)


def _update_in_place(state: Any, _: Any, values: dict[str, Any]) -> None:
    state |= values


def _or(state: Any, _: Any, values: dict[str, Any]) -> None:
    merged, turned = state | values, values | state
    state["or"] = [sorted(merged), [merged[k] == turned[k] for k in sorted(merged)]]
    merged["not in the state"] = 1


def _copy(state: Any, _: Any, key: str) -> None:
    copied = state.copy()
    copied["not in the state"] = 1
    if isinstance(copied.get(key), dict):
        copied[key]["by copy"] = True  # a shallow copy: the same value


def _clear(state: State, _: Any) -> None:
    state.clear()


def _same_twice(state: State, _: Any, key: str, other: str) -> None:
    """One object under two keys, changed while it still is one."""
    state[key] = state[other] = shared = ["shared"]
    shared.append("both")
    state[key].append("both again")


def _link(state: State, _: Any, key: str, other: str) -> None:
    """A value of one key becomes part of another's: of itself, it cannot be stored."""
    if isinstance(state.get(other), dict):
        state[other]["link"] = state.get(key)


def _keep_payload(state: State, payload: dict[str, Any], key: str) -> None:
    state[key] = payload["data"]


def _change_payload(_: Any, payload: dict[str, Any]) -> None:
    if isinstance(payload["data"], dict):
        payload["data"]["changed"] = True
    payload["operations"] = "gone"


def _look(state: State, _: Any, key: str) -> None:
    """Write down what every way of reading says."""
    keys = list(state)
    if not isinstance(state, dict):
        assert keys == sorted(keys)
        assert [k for k, _ in state.items()] == keys
    state["seen"] = [
        sorted(keys),
        len(state),
        key in state,
        state.get(key, "default"),
        [[k, v == state.get(k)] for k, v in sorted(state.items(), key=repr)],
        state == dict(state),
        bool(state),
    ]


def _change_all(state: State, _: Any) -> None:
    for value in state.values():
        if isinstance(value, list):
            value.append("all")


def _grow_under_iteration(state: State, _: Any, key: str) -> None:
    try:
        for _each in state:
            state[key] = "grown"
    except RuntimeError:
        state["refused"] = "growing"


def _shrink_under_iteration(state: State, _: Any, key: str) -> None:
    try:
        for _each in state:
            state.pop(key, None)
    except RuntimeError:
        state["refused"] = "shrinking"


def _fail(_state: State, _: Any) -> None:
    raise ValueError("an applicator failed")


def _unstorable(state: State, _: Any, key: str) -> None:
    state[key] = object()


OPERATIONS: dict[str, Callable[..., None]] = {
    "set": _set,
    "nest": _nest,
    "deep": _deep,
    "delete": _delete,
    "delete blindly": _delete_blindly,
    "pop": _pop,
    "pop item": _pop_item,
    "setdefault": _setdefault,
    "update": _update,
    "update in place": _update_in_place,
    "or": _or,
    "copy": _copy,
    "clear": _clear,
    "same twice": _same_twice,
    "link": _link,
    "keep payload": _keep_payload,
    "change payload": _change_payload,
    "look": _look,
    "change all": _change_all,
    "grow": _grow_under_iteration,
    "shrink": _shrink_under_iteration,
    "fail": _fail,
    "unstorable": _unstorable,
}

# -- strategies ----------------------------------------------------------------------------------

keys = st.sampled_from([*KEYS[:2] * 3, *KEYS])
text = st.text(st.characters(exclude_categories=["Cs"]), max_size=4)
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 3),
    st.sampled_from([2**63, 2**64, -(2**70)]),
    st.floats(allow_nan=False),
    text,
    st.binary(max_size=3),
    st.dates(),
    st.times(),
    st.timedeltas(),
    st.datetimes(timezones=st.just(UTC)),
    st.datetimes(timezones=st.just(timezone(timedelta(hours=-3, minutes=-30)))),
    st.decimals(allow_nan=False),
    st.uuids(),
    st.builds(Ref, text),
    st.just(range(2, 9, 3)),
    st.frozensets(st.integers(0, 3), max_size=2),
)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(text | st.integers(0, 2), inner, max_size=3),
        st.lists(inner, max_size=2).map(tuple),
        st.sets(st.integers(0, 3) | text, max_size=3),
    ),
    max_leaves=6,
)
several = st.dictionaries(keys, values, max_size=3)

HARMLESS = [
    st.tuples(st.just("set"), keys, values),
    st.tuples(st.just("set"), keys, st.just({})),
    st.tuples(st.just("nest"), keys, values),
    st.tuples(st.just("deep"), keys, values),
    st.tuples(st.just("delete"), keys),
    st.tuples(st.just("pop"), keys, keys),
    st.tuples(st.just("pop item")),
    st.tuples(st.just("setdefault"), keys, values),
    st.tuples(st.just("update"), several),
    st.tuples(st.just("update in place"), several),
    st.tuples(st.just("or"), several),
    st.tuples(st.just("copy"), keys),
    st.tuples(st.just("clear")),
    st.tuples(st.just("same twice"), keys, keys),
    st.tuples(st.just("keep payload"), keys),
    st.tuples(st.just("change payload")),
    st.tuples(st.just("look"), keys),
    st.tuples(st.just("change all")),
    st.tuples(st.just("grow"), keys),
    st.tuples(st.just("shrink"), keys),
]
HARMFUL = [
    st.tuples(st.just("link"), keys, keys),
    st.tuples(st.just("delete blindly"), keys),
    st.tuples(st.just("fail")),
    st.tuples(st.just("unstorable"), keys),
]

SHARING = [
    st.tuples(st.just("same twice"), keys, keys),
    st.tuples(st.just("keep payload"), keys),
    st.tuples(st.just("nest"), keys, scalars),
    st.tuples(st.just("deep"), keys, scalars),
    st.tuples(st.just("change all")),
]

harmless_operations = st.lists(st.one_of(*HARMLESS, *SHARING).map(list), max_size=6)
operations = st.lists(
    st.one_of(*HARMLESS, *HARMLESS, *SHARING, *SHARING, *HARMFUL).map(list),
    min_size=1,
    max_size=6,
)
