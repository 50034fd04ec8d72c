"""Random writes, forks of now and of the past, clones, deletes and rebuilds, against plain copies."""

import asyncio
from copy import deepcopy
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ramax
from ramax import Query
from ramax.errors import BranchInUseError, SpaceInUseError
from tests._domains import documents, put

ENTITIES = ("x", "y", "z")
MOST = 5

numbers = st.integers(0, 7)
entities = st.sampled_from(ENTITIES)
steps = st.one_of(
    st.tuples(st.just("put"), numbers, entities),
    st.tuples(st.just("put"), numbers, entities),
    st.tuples(st.just("put_raw"), numbers, entities),
    st.tuples(st.just("put_beside"), numbers),
    st.tuples(st.just("put_kv"), numbers, entities),
    st.tuples(st.just("fork"), numbers),
    st.tuples(st.just("fork_past"), numbers, numbers),
    st.tuples(st.just("clone"), numbers),
    st.tuples(st.just("rebuild"), numbers),
    st.tuples(st.just("look"), numbers),
    st.tuples(st.just("delete"), numbers),
)


class Fact(NamedTuple):
    """An event of the model; ``key`` is what its fold writes."""

    event_id: int
    key: str
    value: int


class Log:
    """A space: all its events, and the values beside them."""

    def __init__(self) -> None:
        self.facts: list[Fact] = []
        self.beside: dict[str, int] = {}

    def state(self) -> dict[str, int]:
        folded = {f.key: f.value for f in self.facts if not f.key.startswith("kv:")}
        return {**folded, **self.beside}

    def kv(self) -> dict[str, int]:
        return {f.key[3:]: f.value for f in self.facts if f.key.startswith("kv:")}


class Both:
    """A database and the model, taken through the same steps; a place is a branch and a space."""

    def __init__(self, db: ramax.Database) -> None:
        self._db = db
        self._logs: dict[tuple[str, str], Log] = {("main", "a"): Log()}
        self._parents: dict[tuple[str, str], tuple[str, str]] = {}
        self._made = 0

    def _place(self, number: int) -> tuple[str, str]:
        places = list(self._logs)
        return places[number % len(places)]

    async def _store(self, place: tuple[str, str]) -> ramax.ContentStore:
        branch, space = place
        return await self._db.at_branch(branch).content_store(space, documents())

    def _new(self) -> int:
        self._made += 1
        return self._made

    async def put(self, number: int, entity: str) -> None:
        place, value = self._place(number), self._new()
        done = await (await self._store(place)).execute(put, [entity, {"v": value}])
        self._logs[place].facts.append(Fact(done.event_ids[0], entity, value))

    async def put_raw(self, number: int, entity: str) -> None:
        place, value = self._place(number), self._new()
        store = await self._store(place)
        event = await store.events.append(entity, "doc.put", {"v": value}, tags=["raw"])
        self._logs[place].facts.append(Fact(event.event_id, entity, value))

    async def put_beside(self, number: int) -> None:
        place, value = self._place(number), self._new()
        await (await self._store(place)).pstate.put("beside", {"v": value})
        self._logs[place].beside = {"beside": value}

    async def put_kv(self, number: int, key: str) -> None:
        place, value = self._place(number), self._new()
        done = await (await self._store(place)).kv.put(key, value)
        (event_id,) = done.event_ids
        self._logs[place].facts.append(Fact(event_id, f"kv:{key}", value))

    async def fork(self, number: int) -> None:
        await self._fork(self._place(number)[0], None)

    async def fork_past(self, number: int, back: int) -> None:
        place = self._place(number)
        head = len(self._logs[place].facts)
        await self._fork(place[0], (place, max(0, head - back)))

    async def _fork(self, source: str, at: tuple[tuple[str, str], int] | None) -> None:
        if len({branch for branch, _ in self._logs}) >= MOST:
            return
        name = f"b{self._new()}"
        await self._db.branches.fork(source, name, at={at[0][1]: at[1]} if at else None)
        for branch, space in list(self._logs):
            if branch == source:
                log = deepcopy(self._logs[branch, space])
                if at and at[0] == (branch, space):
                    log.beside = {}  # what was beside the log in the past, nobody knows
                    log.facts = log.facts[: at[1]]
                self._logs[name, space] = log
                self._parents[name, space] = branch, space

    async def clone(self, number: int) -> None:
        place = self._place(number)
        if len(self._logs) >= 3 * MOST:
            return
        name = f"c{self._new()}"
        await self._db.at_branch(place[0]).spaces.clone(place[1], name)
        self._logs[place[0], name] = deepcopy(self._logs[place])
        self._parents[place[0], name] = place

    async def rebuild(self, number: int) -> None:
        place = self._place(number)
        await (await self._store(place)).rebuild_pstate()
        self._logs[place].beside = {}

    async def delete(self, number: int) -> None:
        """A whole branch, or of `main` what is not its first space."""
        branch, space = place = self._place(number)
        if place == ("main", "a"):
            return
        if branch == "main":
            if place in self._parents.values():
                with pytest.raises(SpaceInUseError):
                    await self._db.spaces.delete(space, force=True)
                return
            await self._db.spaces.delete(space, force=True)
            self._forget([place])
            return
        gone = [each for each in self._logs if each[0] == branch]
        needed = any(up in gone and down[0] != branch for down, up in self._parents.items())
        if needed:
            with pytest.raises(BranchInUseError):
                await self._db.branches.delete(branch)
            return
        await self._db.branches.delete(branch)
        self._forget(gone)

    def _forget(self, places: list[tuple[str, str]]) -> None:
        for place in places:
            del self._logs[place]
            self._parents.pop(place, None)

    async def look(self, number: int) -> None:
        """Everything that can be read of a log, in one place."""
        place = self._place(number)
        log, store = self._logs[place], await self._store(place)
        ids = [fact.event_id for fact in log.facts]
        events = [event async for event in store.events.stream()]
        assert [event.event_id for event in events] == ids
        assert {event.space_id for event in events} <= {store.space.space_id}
        assert [e.space_sequence for e in events] == list(range(1, len(ids) + 1))
        backward = [event.event_id async for event in store.events.stream(reverse=True)]
        assert backward == ids[::-1]
        assert [e.event_id for e in await store.events.last(3)] == ids[-3:]
        for entity in ENTITIES:
            mine = [fact.event_id for fact in log.facts if fact.key == entity]
            assert [e.event_id for e in await store.events.get_events(entity)] == mine
            assert await store.events.get_entity_version(entity) == len(mine)
        raw = [event.event_id for event in events if "raw" in event.tags]
        assert [e.event_id async for e in store.events.stream(Query(tags=["raw"]))] == raw
        for event in events:
            assert await store.events.get_event(event.event_id) == event
        state = {key: value["v"] async for key, value in store.pstate.scan()}
        assert state == log.state()
        assert {key: await store.kv.get(key) for key in await store.kv.list()} == log.kv()
        middle = len(ids) // 2
        folded = {f.key: f.value for f in log.facts[:middle] if not f.key.startswith("kv:")}
        past = await store.as_of(middle)
        assert {key: value["v"] async for key, value in past.pstate.scan()} == folded
        assert (await store.verify()).findings == ()

    async def check(self) -> None:
        for number in range(len(self._logs)):
            await self.look(number)
        for branch in {branch for branch, _ in self._logs}:
            own = [
                fact.event_id
                for place, log in self._logs.items()
                if place[0] == branch
                for fact in log.facts
            ]
            feed = self._db.at_branch(branch).events.stream_all_events()
            assert {event.event_id async for event in feed} <= set(own)


async def walk(url: str | None, taken: list[Any]) -> None:
    async with ramax.connect(url) as db:
        await db.content_store("a", documents())
        both = Both(db)
        for name, *arguments in taken:
            await getattr(both, name)(*arguments)
        await both.check()


@settings(deadline=None, max_examples=40)
@given(st.lists(steps, min_size=5, max_size=25))
def test_histories_come_to_what_plain_copies_come_to(taken):
    asyncio.run(walk(None, taken))


@pytest.mark.nightly
@settings(deadline=None, max_examples=500)
@given(st.lists(steps, min_size=20, max_size=60))
def test_histories_come_to_what_plain_copies_come_to_for_long(taken):
    asyncio.run(walk(None, taken))


@pytest.mark.nightly
@pytest.mark.postgres
async def test_histories_come_to_the_same_on_postgresql(postgres_url):
    """One long walk: every step in turn, from every place."""
    async with ramax.connect(postgres_url) as db:
        await db.content_store("a", documents())
        both = Both(db)
        names: list[tuple[Any, ...]] = [
            ("put", 0, "x"),
            ("put_raw", 0, "y"),
            ("put_kv", 0, "x"),
            ("fork", 0),
            ("put", 0, "x"),
            ("put_beside", 1),
            ("clone", 1),
            ("put_kv", 2, "y"),
            ("fork_past", 2, 1),
            ("put_raw", 3, "z"),
            ("rebuild", 2),
            ("put", 3, "x"),
        ]
        for round_number in range(4):
            for name, number, *rest in names:
                await getattr(both, name)(number + round_number, *rest)
        await both.check()
