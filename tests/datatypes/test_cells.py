"""Cells: versions that count per cell, compare and set, transitions."""

import asyncio

import pytest

from ramax import Commit, DataError, MisuseError, VersionConflictError
from ramax.datatypes import Cell
from tests._each import each


async def test_each_cell_counts_its_own_versions(store):
    assert (await store.cells.set("a", 1)).version == 1
    assert (await store.cells.set("b", 1)).version == 1
    second = await store.cells.set("a", 2)
    assert issubclass(type(second), Commit)
    assert second.version == 2
    assert await store.cells.entry("a") == Cell("a", 2, 2)
    assert await store.cells.get("a") == 2
    assert await store.cells.get("none") is None
    assert await store.cells.get("none", 5) == 5
    assert await store.cells.entry("none") is None


async def test_state_is_another_name(store):
    await store.state.set("a", 1)
    assert await store.cells.get("a") == 1


async def test_compare_and_set(store):
    assert (await store.cells.cas("a", 1, None)).version == 1
    assert (await store.cells.cas("a", 2, expected_version=1)).version == 2
    for wrong in (None, 0, 1, 3):
        with pytest.raises(VersionConflictError) as caught:
            await store.cells.cas("a", 9, wrong)
        assert (caught.value.expected, caught.value.actual) == (wrong, 2)
        assert caught.value.code == "conflict.version"
        assert caught.value.retryable
    with pytest.raises(VersionConflictError):
        await store.cells.cas("new", 9, 1)
    assert await store.cells.get("a") == 2
    assert await store.events.get_space_latest_sequence() == 2


async def test_init_keeps_what_there_is(store):
    assert (await store.cells.init("a", 1)).version == 1
    kept = await store.cells.init("a", 2)
    assert (kept.events, kept.version) == ((), None)
    assert await store.cells.get("a") == 1


async def test_a_transition_is_made_of_the_value_it_replaces(store):
    for _ in range(3):
        await store.cells.transition("n", lambda n: (n or 0) + 1)
    assert await store.cells.entry("n") == Cell("n", 3, 3)

    def fails(value):
        raise RuntimeError("no")

    with pytest.raises(RuntimeError, match="no"):
        await store.cells.transition("n", fails)
    with pytest.raises(MisuseError):
        await store.cells.transition("n", 5)
    assert (await store.cells.entry("n")).version == 3


async def test_transitions_of_many_tasks_lose_nothing(store):
    await asyncio.gather(*(store.cells.transition("n", lambda n: (n or 0) + 1) for _ in range(50)))
    assert await store.cells.entry("n") == Cell("n", 50, 50)


async def test_no_version_is_used_twice(store):
    await store.cells.set("a", 1)
    assert await store.cells.delete("a") is True
    assert await store.cells.delete("a") is False
    assert not await store.cells.exists("a")
    with pytest.raises(VersionConflictError):
        await store.cells.cas("a", 2, 1)
    assert (await store.cells.cas("a", 2, None)).version == 2
    assert await store.cells.list() == ["a"]


async def test_the_history_of_a_cell(store):
    await store.cells.set("a", 1)
    await store.cells.set("a", 2)
    await store.cells.delete("a")
    found = await store.cells.history("a")
    assert [(v.value, v.version, v.deleted) for v in found] == [
        (None, None, True),
        (2, 2, False),
        (1, 1, False),
    ]
    assert await store.cells.history("a", limit=1) == found[:1]
    assert await store.cells.history("none") == []


async def test_cells_are_listed_without_those_that_are_gone(store):
    for name in ("b", "a:2", "a:1", "gone"):
        await store.cells.set(name, 0)
    await store.cells.delete("gone")
    assert await store.cells.list() == ["a:1", "a:2", "b"]
    assert await store.cells.list("a:") == ["a:1", "a:2"]
    assert await store.cells.list(limit=1, after="a:1") == ["a:2"]
    assert await store.cells.count() == 3
    assert await store.cells.count("a:") == 2


@each("wrong", ["", "a\0", "x" * 901, None, 1])
async def test_what_cannot_be_a_name_is_refused(store, wrong):
    for attempt in (
        lambda: store.cells.set(wrong, 1),
        lambda: store.cells.init(wrong, 1),
        lambda: store.cells.cas(wrong, 1, None),
        lambda: store.cells.transition(wrong, lambda _v: 1),
        lambda: store.cells.get(wrong),
        lambda: store.cells.delete(wrong),
        lambda: store.cells.history(wrong),
    ):
        with pytest.raises(DataError):
            await attempt()
    assert await store.events.get_space_latest_sequence() == 0


@each("wrong", ["1", -1, 1.0, True])
async def test_what_cannot_be_a_version_is_refused(store, wrong):
    with pytest.raises(DataError):
        await store.cells.cas("a", 1, wrong)
