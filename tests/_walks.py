"""Runs walks over a plain dict, and graphs of linked values."""

from collections.abc import Mapping
from typing import Any

from hypothesis import strategies as st

from ramax import Ref
from ramax.core.walk import Walk


def run(walk: Walk[Any], data: Mapping[str, Any]) -> tuple[Any, list[list[str]]]:
    """Answer a walk; return its result and what it asked for, level by level."""
    asked: list[list[str]] = []
    try:
        wanted = next(walk)
        while True:
            asked.append(list(wanted))
            wanted = walk.send({key: data[key] for key in wanted if key in data})
    except StopIteration as end:
        return end.value, asked


def complete(count: int) -> dict[str, Any]:
    """Every node refers to every other one."""
    names = [f"n{n}" for n in range(count)]
    return {
        name: {"name": name, "links": [Ref(other) for other in names if other != name]}
        for name in names
    }


def linked_values(names: list[str]) -> st.SearchStrategy[Any]:
    """Values that refer to some of these names, in containers of every kind."""
    refs = st.sampled_from(names).map(Ref)
    leaves = st.one_of(refs, refs, st.integers(0, 9), st.text("ab", max_size=2), st.none())
    return st.recursive(
        leaves,
        lambda inner: st.one_of(
            st.lists(inner, max_size=3),
            st.lists(inner, max_size=2).map(tuple),
            st.dictionaries(st.sampled_from("xyz"), inner, max_size=3),
            st.sets(st.one_of(refs, st.integers(0, 9)), max_size=2),
            st.frozensets(refs, max_size=2),
        ),
        max_leaves=4,
    )


def graphs(count: int) -> st.SearchStrategy[dict[str, Any]]:
    """Up to ``count`` keys with values that refer to them, to `gone`, and to `bad` keys."""
    names = [f"k{n}" for n in range(count)]
    return st.dictionaries(
        st.sampled_from(names), linked_values([*names, "gone", "", "x\0"]), max_size=count
    )
