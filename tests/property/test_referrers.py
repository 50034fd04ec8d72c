"""Whatever is written in whatever way, the index says what reading everything says."""

from itertools import count
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import ramax
from ramax import Ref
from tests._cards import drop, edit, put
from tests._links import check, linked

NUMBERS = count()
TARGETS = ["deck:1", "deck:2", "card:1"]
refs = st.sampled_from(TARGETS).map(Ref)
keys = st.sampled_from(["card:1", "card:2", "deck:1", "free"])
values = st.fixed_dictionaries(
    {},
    optional={
        "deck": st.none() | st.sampled_from(["deck:1", "deck:2"]).map(Ref),
        "also": st.lists(refs | st.dictionaries(st.sampled_from("ab"), refs), max_size=2),
        "cover": st.none() | refs,
        "other": refs,
    },
)
commands = st.one_of(
    st.tuples(st.just(put), st.tuples(keys, values)),
    st.tuples(st.just(drop), keys),
    st.tuples(st.just(edit), st.tuples(keys, st.sampled_from(["other", "cover"]), refs)),
)
steps = st.one_of(
    st.tuples(st.just("execute"), st.lists(commands, min_size=1, max_size=4)),
    st.tuples(st.just("append"), keys, values),
    st.tuples(st.just("put"), st.sampled_from(["card:d", "deck:d"]), values),
    st.tuples(st.just("delete"), st.sampled_from(["card:d", "deck:d"])),
    st.tuples(st.just("older"), commands),
    st.tuples(st.just("rebuild")),
    st.tuples(st.just("ask")),
)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(early=st.booleans(), plan=st.lists(steps, min_size=2, max_size=8))
async def test_the_index_says_what_reading_everything_says(db, early, plan):
    name = f"s{next(NUMBERS)}"
    store = await db.content_store(name, linked())
    bare = type("N", (), {"__annotations__": {"n": int}})
    older = await db.content_store(name, linked(none=bare))
    if early:
        await check(store, TARGETS)
    for step, *given_ in plan:
        await take(step, store, older, *given_)
    await check(store, TARGETS)


async def take(
    step: str, store: ramax.ContentStore, older: ramax.ContentStore, *given: Any
) -> None:
    match step:
        case "execute":
            await store.execute_many(given[0])
        case "append":
            await store.events.append(given[0], "set", {"value": given[1]})
        case "put":
            await store.pstate.put(given[0], given[1])
        case "delete":
            await store.pstate.delete(given[0])
        case "older":
            await older.execute(*given[0])
        case "rebuild":
            await store.rebuild_pstate()
        case _:
            await check(store, TARGETS)
