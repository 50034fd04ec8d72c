"""Whatever is stored: migrating on read shows what migrating everything leaves, and so does writing back."""

from itertools import count
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ramax import SchemaError
from ramax.core.equality import same_value
from ramax.core.state import unpack
from ramax.storage.reads import read_range
from tests._cards import cards, old_cards, put

NUMBERS = count()

texts = st.text("ab,", max_size=4)
shapes: dict[str, st.SearchStrategy[Any]] = {
    "front": texts,
    "back": texts | st.none(),
    "tags": texts | st.none() | st.lists(texts, max_size=2),
    "level": st.sampled_from([0, 3, -1, "4", None, "many"]),
    "deck_id": texts | st.none(),
    "title": texts,
    "name": texts,
    "cards": st.none() | st.lists(texts, max_size=3, unique=True),
    "note": st.integers() | st.none(),
}
values: st.SearchStrategy[Any] = st.fixed_dictionaries({}, optional=shapes) | st.sampled_from(
    [1, [], None]
)
keys = st.sampled_from(["card:1", "card:2", "deck:1", "deck:2", "other:1", "card"])
spaces = st.dictionaries(keys, values, max_size=5)


async def seen(store: Any, names: Any) -> dict[str, Any]:
    """What a reader gets of each key, be it an error."""
    found = {}
    for key in names:
        try:
            found[key] = await store.pstate.get(key)
        except SchemaError as error:
            found[key] = str(error)
    return found


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(content=spaces, mode=st.sampled_from(["strict", "warn", "off"]))
async def test_migrate_on_read_equals_migrate_all_and_writing_back_changes_nothing(
    db, content, mode
):
    number = next(NUMBERS)
    names = [f"{kind}{number}" for kind in ("lazy", "all")]
    for name in names:
        old = await db.content_store(name, old_cards())
        await old.execute_many([(put, each) for each in content.items()])
    lazy, whole = [await db.content_store(name, cards(mode)) for name in names]

    on_read = await seen(lazy, content)
    await lazy.pstate.flush_migrations()
    dry = await whole.migrate_pstate(dry_run=True)
    report = await whole.migrate_pstate()

    assert same_value(await seen(lazy, content), on_read)
    assert same_value(await seen(whole, content), on_read)
    assert report.failure_count == sum(type(value) is str for value in on_read.values())
    assert (dry.changed, dry.failure_count) == (report.changed, report.failure_count)
    one, other = [
        await db._core.read(lambda ex, s=s: read_range(ex, s.space.space_id, "", "~"))
        for s in (lazy, whole)
    ]
    assert one == other  # to the last byte
    assert (await whole.migrate_pstate()).written == 0
    for key, packed in other.items():  # what was written needs nothing more
        if type(on_read[key]) is not str:
            assert same_value(unpack(packed), on_read[key])
