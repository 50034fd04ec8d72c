"""Random changes of ready-made data on two branches: what each rule of merging comes to."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ramax
from ramax.errors import MergeConflictError

NAMES = ("k", "l")
GONE = None
Content = dict[tuple[str, str], Any]

values = st.integers(0, 2)
edits = st.one_of(
    st.tuples(st.just("kv"), st.sampled_from(NAMES), st.one_of(values, st.none())),
    st.tuples(st.just("cells"), st.sampled_from(NAMES), values),
    st.tuples(st.just("vectors"), st.sampled_from(NAMES), st.one_of(values, st.none())),
    st.tuples(st.just("json"), st.sampled_from(NAMES), values),
)
histories = st.lists(edits, max_size=6)


async def edit(store: ramax.ContentStore, kind: str, name: str, value: Any) -> None:
    if kind == "kv":
        await (store.kv.delete(name) if value is GONE else store.kv.put(name, value))
    elif kind == "cells":
        await store.cells.set(name, value)
    elif kind == "json":  # one document, of which each name is a path
        await store.json.set("d", value, path=f"$.{name}")
    elif value is GONE:
        await store.vectors.delete("v", name)
    else:
        await store.vectors.upsert("v", name, [float(value), 1.0])


async def content(store: ramax.ContentStore) -> Content:
    found: Content = {}
    document = await store.json.get("d")
    for name in NAMES:
        found["kv", name] = await store.kv.get(name)
        found["cells", name] = await store.cells.get(name)
        vector = await store.vectors.get("v", name)
        found["vectors", name] = None if vector is None else float(vector.vector[0])
        found["json", name] = document[name]
    return found


class Side:
    """What a side did: the contents, and what it touched of them."""

    def __init__(self, base: Content, history: list[Any]) -> None:
        self.content, self.touched = dict(base), set()
        for kind, name, value in history:
            stored = float(value) if kind == "vectors" and value is not GONE else value
            other = self.content[kind, name] != stored
            # what is deleted must be there, and a path that is set to what it is says nothing
            if other or (kind != "json" and stored is not GONE):
                self.touched.add((kind, name))
            self.content[kind, name] = stored


def units(kind: str) -> Iterator[list[tuple[str, str]]]:
    """What conflicts as one: a document with all its paths, else each name."""
    names = [(kind, name) for name in NAMES]
    yield from [names] if kind == "json" else [[name] for name in names]


def expected(source: Side, target: Side, policy: str) -> tuple[Content, bool]:
    """Merge by the rules as they are told: return the content, and whether there is a conflict."""
    merged, conflict = dict(target.content), False
    for kind in ("kv", "cells", "vectors", "json"):
        for unit in units(kind):
            same = all(source.content[each] == target.content[each] for each in unit)
            both = source.touched & target.touched & set(unit)
            if both and not same:
                conflict = True
                if policy == "theirs":
                    merged.update({each: source.content[each] for each in unit})
            else:
                news = source.touched & set(unit)
                merged.update({each: source.content[each] for each in news})
    return merged, conflict


async def walk(before: list[Any], there: list[Any], here: list[Any], policy: Any) -> None:
    async with ramax.connect() as db:
        main = await db.content_store("s")
        await main.json.set("d", dict.fromkeys(NAMES, 0))
        await main.vectors.create_collection("v", 2)
        for each in before:
            await edit(main, *each)
        base = await content(main)
        await db.branches.fork("main", "test")
        fork = await db.at_branch("test").content_store("s")
        for store, history in ((fork, there), (main, here)):
            for each in history:
                await edit(store, *each)
        source, target = Side(base, there), Side(base, here)
        assert await content(fork) == source.content
        merged, conflict = expected(source, target, policy)
        if conflict:
            with pytest.raises(MergeConflictError):
                await db.branches.merge("test")
            assert await content(main) == target.content
        await db.branches.merge("test", on_conflict=policy if conflict else "fail")
        assert await content(main) == merged
        assert not (await db.branches.merge("test")).changed
        await db.branches.rebase("test")
        assert await content(fork) == merged
        assert not (await db.branches.rebase("test")).changed
        assert not (await db.branches.merge("test")).changed
        for store in (main, fork):
            assert (await store.verify()).findings == ()


@settings(deadline=None, max_examples=40)
@given(histories, histories, histories, st.sampled_from(["ours", "theirs"]))
def test_data_merges_by_its_rules_and_both_sides_come_to_the_same(before, there, here, policy):
    asyncio.run(walk(before, there, here, policy))


@pytest.mark.nightly
@settings(deadline=None, max_examples=2000)
@given(histories, histories, histories, st.sampled_from(["ours", "theirs"]))
def test_data_merges_by_its_rules_for_long(before, there, here, policy):
    asyncio.run(walk(before, there, here, policy))
