"""Random commands, forks, merges, promotions, deletes and rebuilds, against a model of plain lists."""

import asyncio
import random
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import ramax
from ramax.errors import BranchInUseError, DataError, MergeConflictError
from tests._domains import documents, put
from tests.branches._model import ENTITIES, SPACES, ConflictsError, Model

DOMAIN = documents()
ALL_POLICIES = ("theirs", "ours", "fail")

numbers = st.integers(0, 3)
policies = st.sampled_from(ALL_POLICIES)
spaces = st.sampled_from([SPACES[0], *SPACES])
entities = st.sampled_from(ENTITIES)
steps = st.one_of(
    st.tuples(st.just("put"), numbers, spaces, entities),
    st.tuples(st.just("put"), numbers, spaces, entities),
    st.tuples(st.just("put"), numbers, spaces, entities),
    st.tuples(st.just("fork"), numbers, st.just(0)),
    st.tuples(st.just("fork"), numbers, numbers),
    st.tuples(st.just("merge"), numbers, numbers, policies),
    st.tuples(st.just("merge"), numbers, numbers, policies),
    st.tuples(st.just("promote"), numbers, spaces, entities, policies),
    st.tuples(st.just("delete"), numbers),
    st.tuples(st.just("rebuild"), numbers, spaces),
)


class Both:
    """A database and the model, taken through the same steps."""

    def __init__(self, db: ramax.Database) -> None:
        self._db, self._model = db, Model()
        self._forks = 0

    def _branch(self, number: int) -> str:
        names = list(self._model.branches)
        return names[number % len(names)]

    def _view(self, branch: str) -> ramax.Database:
        return self._db if branch == "main" else self._db.at_branch(branch)

    async def _store(self, branch: str, space: str) -> ramax.ContentStore:
        return await self._view(branch).content_store(space, DOMAIN)

    async def put(self, number: int, space: str, entity: str) -> None:
        branch = self._branch(number)
        value = self._model.put(branch, space, entity)
        await (await self._store(branch, space)).execute(put, [entity, {"v": value}])

    async def fork(self, number: int, back: int) -> None:
        if len(self._model.branches) >= 5:
            return
        self._forks += 1
        source, name = self._branch(number), f"fork{self._forks}"
        at = self._model.fork(source, name, back)
        await self._db.branches.fork(source, name, at=at if back else None)

    async def delete(self, number: int) -> None:
        branch = self._branch(number)
        if branch == "main":
            return
        if self._model.delete(branch):
            await self._db.branches.delete(branch)
        else:
            with pytest.raises(BranchInUseError):
                await self._db.branches.delete(branch)

    async def merge(self, number: int, other: int, policy: Any) -> None:
        source, into = self._branch(number), self._branch(number + other + 1)
        if source == into:
            return
        domains = dict.fromkeys(SPACES, DOMAIN)
        call = self._db.branches.merge(source, into, on_conflict=policy, domains=domains)
        try:
            self._model.merge(source, into, policy)
        except ConflictsError:
            with pytest.raises(MergeConflictError):
                await call
        else:
            await call
            again = await self._db.branches.merge(source, into)
            assert not again.changed

    async def promote(self, number: int, space: str, entity: str, policy: Any) -> None:
        branch = self._branch(number)
        other = next(each for each in SPACES if each != space)
        for name in SPACES:
            self._model.log(branch, name)
        here, there = [await self._store(branch, name) for name in (space, other)]
        call = self._view(branch).spaces.promote(here, there, [entity], on_conflict=policy)
        try:
            self._model.promote(branch, space, other, entity, policy)
        except ConflictsError:
            with pytest.raises(MergeConflictError):
                await call
        except LookupError:
            with pytest.raises(DataError):
                await call
        else:
            assert await call is not None

    async def rebuild(self, number: int, space: str) -> None:
        branch = self._branch(number)
        if space in self._model.branches[branch]:
            await (await self._store(branch, space)).rebuild_pstate()

    async def check(self) -> None:
        found = {}
        for branch, logs in self._model.branches.items():
            for space in logs:
                store = await self._store(branch, space)
                events = [(e.entity_id, e.payload["v"]) async for e in store.events.stream()]
                state = {key: value["v"] async for key, value in store.pstate.scan()}
                if events:
                    found[f"{branch}/{space}"] = (events, state)
                    assert (await store.verify()).findings == ()
        assert found == self._model.shown()


async def walk(url: str | None, taken: list[Any]) -> None:
    async with ramax.connect(url) as db:
        both = Both(db)
        for name, *arguments in taken:
            await getattr(both, name)(*arguments)
        await both.check()


def drawn(seed: int, count: int) -> list[Any]:
    """Draw steps without hypothesis: the same ones each time."""
    draw = random.Random(seed)
    kinds = {
        "put": lambda: (draw.randrange(4), draw.choice(SPACES), draw.choice(ENTITIES)),
        "fork": lambda: (draw.randrange(4), draw.choice([0, 0, 1, 3])),
        "merge": lambda: (draw.randrange(4), draw.randrange(4), draw.choice(ALL_POLICIES)),
        "promote": lambda: (
            draw.randrange(4),
            draw.choice(SPACES),
            draw.choice(ENTITIES),
            draw.choice(ALL_POLICIES),
        ),
        "delete": lambda: (draw.randrange(4),),
        "rebuild": lambda: (draw.randrange(4), draw.choice(SPACES)),
    }
    names = draw.choices(list(kinds), [8, 2, 6, 2, 1, 1], k=count)
    return [(name, *kinds[name]()) for name in names]


@pytest.mark.parametrize("seed", [1, 7])
async def test_every_database_comes_to_the_same(url, seed):
    await walk(url, drawn(seed, 80))


SETTLED_BEFORE = [
    *[("fork", 0, 0)] * 3,
    ("fork", 1, 0),
    ("put", 0, "b", "y"),
    ("put", 1, "a", "y"),
    ("promote", 0, "b", "y", "theirs"),
    ("merge", 0, 2, "theirs"),
    ("delete", 2),
    ("merge", 1, 0, "theirs"),
    ("merge", 0, 2, "theirs"),
    ("merge", 2, 2, "theirs"),
    ("merge", 3, 1, "theirs"),
]
"""What was settled on the way to a space is not news to it by another way."""

DECLINED_BEFORE = [
    ("put", 2, "b", "x"),
    ("fork", 1, 0),
    ("fork", 1, 0),
    ("put", 0, "a", "x"),
    ("promote", 3, "a", "x", "ours"),
    ("put", 3, "b", "x"),
    ("promote", 2, "a", "y", "ours"),
    ("fork", 0, 0),
    ("merge", 3, 2, "theirs"),
    ("promote", 2, "b", "x", "fail"),
]
"""What the parent decided against before a fork goes on from the fork as well."""


@settings(deadline=None, max_examples=60)
@example(SETTLED_BEFORE)
@example(DECLINED_BEFORE)
@given(st.lists(steps, min_size=10, max_size=30))
def test_branches_come_to_what_plain_lists_come_to(taken):
    asyncio.run(walk(None, taken))


@pytest.mark.nightly
@settings(deadline=None, max_examples=600)
@given(st.lists(steps, min_size=20, max_size=60))
def test_branches_come_to_what_plain_lists_come_to_for_long(taken):
    asyncio.run(walk(None, taken))
