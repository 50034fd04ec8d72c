"""A domain on a store and on a plain dict comes to the same state, whatever both do."""

import asyncio
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import ramax
from ramax import ContentStore, NewEvent
from tests.property._operations import KEYS, harmless_operations, operations
from tests.property._reference import Reference, command, domain, exactly

NUMBERS = count()

params = st.fixed_dictionaries(
    {
        "events": st.lists(operations, min_size=2, max_size=4) | st.lists(operations, max_size=1),
        "look": st.booleans(),
        "peek": st.sampled_from(KEYS),
        "reject": st.sampled_from([*KEYS, "never", "never", "never"]),
    }
)
spaces = st.integers(0, 1)
commands = st.lists(st.tuples(spaces, params), min_size=1, max_size=4)
steps = st.one_of(
    st.tuples(st.just("execute"), commands),
    st.tuples(st.just("at once"), commands),
    st.tuples(st.just("many"), spaces, st.lists(params, min_size=1, max_size=3)),
    st.tuples(st.just("transaction"), commands),
    st.tuples(st.just("append"), spaces, st.lists(harmless_operations, min_size=1, max_size=3)),
    st.tuples(st.just("catch up"), spaces),
    st.tuples(st.just("rebuild"), spaces),
    st.tuples(st.just("read"), spaces),
)
plans = st.lists(steps, min_size=2, max_size=7)


class Run:
    """Two spaces of a database, and what they have to be."""

    def __init__(self, stores: list[ContentStore], db: ramax.Database) -> None:
        self.stores, self.db = stores, db
        self.references = [Reference(), Reference()]

    async def step(self, kind: str, *arguments: Any) -> None:
        await getattr(self, "_" + kind.replace(" ", "_"))(*arguments)

    def _expected(self, space: int, given: Any) -> int | type[BaseException]:
        try:
            return self.references[space].execute(given)
        except Exception as error:
            return type(error)

    @staticmethod
    def _got(result: Any) -> int | type[BaseException]:
        return type(result) if isinstance(result, BaseException) else len(result.events)

    async def _execute(self, given: list[tuple[int, Any]]) -> None:
        for each in given:
            await self._at_once([each])

    async def _at_once(self, given: list[tuple[int, Any]]) -> None:
        """All in one batch of the writer."""
        waiting = [self.stores[space].execute(command, p) for space, p in given]
        results = await asyncio.gather(*waiting, return_exceptions=True)
        expected = [self._expected(space, p) for space, p in given]
        assert [self._got(result) for result in results] == expected, results
        for (space, _), commit in zip(given, results, strict=True):
            if isinstance(commit, ramax.Commit):
                self._check_events(space, commit.events)

    def _check_events(self, space: int, events: Any) -> None:
        payloads = self.references[space].payloads
        for event in events:
            assert exactly(event.payload) == exactly(payloads[event.space_sequence - 1])

    async def _many(self, space: int, given: list[Any]) -> None:
        before = self.references[space].copy()
        expected = []
        for p in given:
            expected.append(self._expected(space, p))
            if not isinstance(expected[-1], int):
                before.catch_up()
                self.references[space] = before
                break
        try:
            commits = await self.stores[space].execute_many([(command, p) for p in given])
        except Exception as error:
            assert type(error) is expected[-1], error
        else:
            assert [len(commit.events) for commit in commits] == expected

    async def _transaction(self, given: list[tuple[int, Any]]) -> None:
        async with self.db.transaction(*(s.space for s in self.stores)) as tx:
            for space, p in given:
                expected = self._expected(space, p)
                try:
                    result: Any = await tx.at(self.stores[space]).execute(command, p)
                except Exception as error:
                    result = error
                assert self._got(result) == expected, result

    async def _append(self, space: int, given: list[Any]) -> None:
        payloads = [
            {"entity": "e", "operations": each, "data": {"d": [0]}, "seen": {}} for each in given
        ]
        news = [NewEvent("changed", payload) for payload in payloads]
        await self.stores[space].events.append_many(news)
        for payload in payloads:
            self.references[space].append(payload)

    async def _catch_up(self, space: int) -> None:
        expected = self.references[space].catch_up()
        assert await self.stores[space].catchup_pstate() == expected

    async def _rebuild(self, space: int) -> None:
        self.references[space].catch_up()
        done = await self.stores[space].rebuild_pstate()
        assert done == len(self.references[space].payloads)

    async def _read(self, space: int) -> None:
        self.references[space].catch_up()
        await self.check(space)

    async def check(self, space: int) -> None:
        store, expected = self.stores[space], self.references[space].state
        scanned = [(key, value) async for key, value in store.pstate.scan()]
        assert [key for key, _ in scanned] == sorted(expected)
        assert {k: exactly(v) for k, v in scanned} == {k: exactly(v) for k, v in expected.items()}
        many = await store.pstate.get_many(KEYS)
        assert {k: exactly(v) for k, v in many.items()} == {
            k: exactly(v) for k, v in expected.items() if k in KEYS
        }
        events = [event async for event in store.events.stream_space_events()]
        assert [exactly(e.payload) for e in events] == [
            exactly(payload) for payload in self.references[space].payloads
        ]

    async def end(self) -> None:
        """Live, then folded anew, both spaces are what they have to be."""
        for space in (0, 1):
            self.references[space].catch_up()
            await self.check(space)
            await self._rebuild(space)
            await self.check(space)


async def equivalent(db: ramax.Database, plan: list[Any]) -> None:
    number = next(NUMBERS)
    stores = [await db.content_store(f"space{number}-{i}", domain) for i in (0, 1)]
    run = Run(stores, db)
    for step in plan:
        await run.step(*step)
    await run.end()


usual = settings(
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.fixture
async def embedded(sqlite_url, memory_url):
    async with ramax.connect(sqlite_url) as file, ramax.connect(memory_url) as memory:
        yield file, memory


@settings(usual, max_examples=100)
@given(plan=plans)
async def test_sqlite_comes_to_what_a_dict_comes_to(embedded, plan):
    for db in embedded:
        await equivalent(db, plan)


@settings(usual, max_examples=30)
@given(plan=plans)
@pytest.mark.postgres
async def test_postgres_comes_to_what_a_dict_comes_to(postgres_url, plan):
    async with ramax.connect(postgres_url) as db:
        await equivalent(db, plan)


@pytest.mark.nightly
@settings(usual, max_examples=1500)
@given(plan=plans)
async def test_any_database_comes_to_what_a_dict_comes_to(db, plan):
    await equivalent(db, plan)
