"""Random work by two handles, with something breaking in between, beside a list and a dict."""

import asyncio
import time
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import run_state_machine_as_test

import ramax
from ramax.errors import CommitUnknownError, SpaceNotFoundError, StorageError
from tests.concurrency._ledger import Overdrawn, close, post
from tests.concurrency._two_handles import FAILED, NAMES, UNKNOWN, Stores, TwoHandles, step

EXAMPLES, STEPS = {"memory_url": 30, "sqlite_url": 20, "postgres_url": 8}, 25

spaces, accounts = st.sampled_from(NAMES), st.sampled_from("abc")
postings = st.fixed_dictionaries(
    {"account": accounts, "amount": st.integers(-3, 5), "parts": st.integers(1, 3)}
)
several = st.lists(st.tuples(spaces, postings), min_size=1, max_size=6)
turns = st.integers(0, 60)
"""Turns of the event loop before somebody leaves."""


class Work(TwoHandles):
    """Every kind of work; ``after`` is what the spaces hold if a step happens."""

    # -- commands ----------------------------------------------------------------------------------

    @step(space=spaces, posting=postings, keyed=st.booleans())
    async def execute(
        self, stores: Stores, space: str, posting: dict[str, Any], keyed: bool
    ) -> None:
        params = self.named(posting)
        if keyed:
            self.keyed.append((space, params))
        key = params["name"] if keyed else None
        agreed = self.after[space].post(params)
        try:
            commit = await self.attempt(stores[space].execute(post, params, idempotency_key=key))
        except Overdrawn:
            assert not agreed
            return
        if isinstance(commit, ramax.Commit):
            assert agreed
            assert commit.space_sequence == len(self.after[space].log)
            assert not commit.replayed

    @step(pick=st.integers(0, 100))
    async def execute_again(self, stores: Stores, pick: int) -> None:
        """A command under its key has happened once, or it happens now."""
        if not self.keyed:
            return
        space, params = self.keyed[pick % len(self.keyed)]
        there = params["name"] in self.after[space].names()
        agreed = there or self.after[space].post(params)
        work = stores[space].execute(post, params, idempotency_key=params["name"])
        try:
            commit = await self.attempt(work)
        except Overdrawn:
            assert not agreed
            return
        if isinstance(commit, ramax.Commit):
            assert commit.replayed or not there
            assert {event.payload["name"] for event in commit.events} == {params["name"]}
            assert len(commit.events) == params["parts"]

    @step(space=spaces, account=accounts)
    async def close_account(self, stores: Stores, space: str, account: str) -> None:
        params = self.named({"account": account})
        self.after[space].close(params)
        await self.attempt(stores[space].execute(close, params))

    @step(together=several, leave=st.sets(st.integers(0, 5)), turns=turns)
    async def execute_together(
        self, stores: Stores, together: list[Any], leave: set[int], turns: int
    ) -> None:
        """Several callers at once, some of whom leave; in what order they come is not said."""
        calls = {params["name"]: (space, params) for space, params in self.each(together)}

        async def everybody() -> list[Any]:
            tasks = [
                asyncio.create_task(stores[space].execute(post, params))
                for space, params in calls.values()
            ]
            for _ in range(turns if leave else 0):
                await asyncio.sleep(0)
            for number in leave & set(range(len(tasks))):
                tasks[number].cancel()
            return await asyncio.gather(*tasks, return_exceptions=True)

        before = self.faults.struck
        answers = dict(zip(calls, await self.struck_by_fault(everybody()), strict=True))
        await self.come_after_everybody(stores)
        await self.take_over(calls)
        there = {name for model in self.models.values() for name in model.names()}
        for name, answer in answers.items():
            if isinstance(answer, (CommitUnknownError, asyncio.CancelledError)):
                continue
            assert (name in there) == isinstance(answer, ramax.Commit), answer
            if isinstance(answer, StorageError):
                assert self.faults.struck > before
            elif name not in there:
                assert isinstance(answer, Overdrawn)

    async def come_after_everybody(self, stores: Stores) -> None:
        """Nobody waits any more for a command whose caller has left; the next ones do."""
        for store in stores.values():
            with pytest.raises(Overdrawn):
                await store.execute(post, self.named({"account": "nobody", "amount": -1}))

    async def take_over(self, calls: dict[str, Any]) -> None:
        """Let the model do what is there, in the order in which it is there."""
        found = await self.contents()
        for name, model in self.models.items():
            for _, _, _, payload, *_ in found[name].log[len(model.log) :]:
                if payload["part"] == 1:
                    space, params = calls[payload["name"]]
                    assert space == name
                    assert model.post(params)

    def each(self, several: list[Any]) -> Iterator[tuple[str, dict[str, Any]]]:
        return ((space, self.named(posting)) for space, posting in several)

    @step(steps=several, abort=st.booleans(), leave=st.booleans(), turns=turns)
    async def transaction(
        self, stores: Stores, steps: list[Any], abort: bool, leave: bool, turns: int
    ) -> None:
        """Several steps over several spaces: all or none, also for a caller who leaves inside."""

        async def block() -> None:
            async with self.db.transaction(*{stores[space] for space, _ in steps}) as tx:
                for space, params in self.each(steps):
                    agreed = self.after[space].post(params)
                    try:
                        await tx.at(stores[space]).execute(post, params)
                    except Overdrawn:
                        assert not agreed
                    else:
                        assert agreed
                if abort:
                    raise ZeroDivisionError

        async def perhaps_left() -> object:
            task = asyncio.create_task(block())
            for _ in range(turns if leave else 0):
                await asyncio.sleep(0)
            if leave:
                task.cancel()
            await asyncio.wait([task])
            if task.cancelled():
                return UNKNOWN
            return FAILED if isinstance(task.exception(), ZeroDivisionError) else task.result()

        await self.attempt(perhaps_left())

    # -- the other verbs ---------------------------------------------------------------------------

    @step(space=spaces, account=accounts)
    async def append(self, stores: Stores, space: str, account: str) -> None:
        fact = self.after[space].fact(self.named({"account": account, "amount": 1}))
        await self.attempt(stores[space].events.append(*fact))

    @step(space=spaces, key=st.sampled_from(["mine:1", "mine:2"]), value=st.integers(0, 9))
    async def put(self, stores: Stores, space: str, key: str, value: int) -> None:
        self.after[space].puts[key] = value
        await self.attempt(stores[space].pstate.put(key, value))

    @step(space=spaces, key=st.sampled_from(["mine:1", "mine:2"]))
    async def delete(self, stores: Stores, space: str, key: str) -> None:
        self.after[space].puts.pop(key, None)
        await self.attempt(stores[space].pstate.delete(key))

    @step(space=spaces)
    async def rebuild(self, stores: Stores, space: str) -> None:
        self.after[space].puts.clear()
        answer = await self.attempt(stores[space].rebuild_pstate())
        assert answer in (FAILED, UNKNOWN, len(self.after[space].log))

    @step(space=spaces)
    async def read(self, stores: Stores, space: str) -> None:
        """A handle with the domain sees everything folded, whoever wrote it."""
        store, model = stores[space], self.after[space]
        state = model.state()

        async def everything() -> Any:
            scanned = {key: value async for key, value in store.pstate.scan()}
            some = await store.pstate.get_many([*state, "not there"])
            events = [e.payload async for e in store.events.stream_space_events()]
            return scanned, some, events, await store.get_checkpoint()

        found = await self.attempt(everything())
        payloads = [payload for *_, payload in model.log]
        assert found in (FAILED, UNKNOWN, (state, state, payloads, len(model.log)))

    @step(space=spaces)
    async def delete_space(self, _: Stores, space: str) -> None:
        """A deleted space is gone for every handle; the next one of its name begins at 1."""
        old = [(await self.stores(each))[space] for each in (0, 1)]
        answer = await self.struck_by_fault(self.db.spaces.delete(space, force=True))
        gone = not await self.handles[1].spaces.exists(space)
        assert answer is UNKNOWN or gone == (answer is not FAILED)
        if gone:
            del self.models[space]
            self.keyed = [each for each in self.keyed if each[0] != space]
            for store in old:
                with pytest.raises(SpaceNotFoundError):
                    await store.execute(close, self.named({"account": "a"}))
            await self.stores()


@pytest.mark.parametrize("kind", EXAMPLES)
@pytest.mark.parametrize(
    "seconds", [0, pytest.param(600, marks=[pytest.mark.nightly, pytest.mark.timeout(1800)])]
)
def test_random_work_with_faults_in_it_does_what_it_says(
    request: pytest.FixtureRequest, kind: str, seconds: int
) -> None:
    url, struck = request.getfixturevalue(kind), 0

    class Opened(Work):
        def __init__(self) -> None:
            super().__init__(url, runner.get_loop())

        def teardown(self) -> None:
            nonlocal struck
            struck += self.faults.struck
            super().teardown()

    chosen = settings(
        max_examples=EXAMPLES[kind],
        stateful_step_count=STEPS,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    until = time.monotonic() + seconds
    with asyncio.Runner() as runner:
        run_state_machine_as_test(Opened, settings=chosen)
        while time.monotonic() < until:
            run_state_machine_as_test(Opened, settings=chosen)
    assert struck > EXAMPLES[kind]
