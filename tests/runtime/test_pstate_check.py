from typing import Any

import pytest

import ramax
from ramax import Domain
from ramax.core.codec import encode
from ramax.errors import DataError, DomainMismatchError, FoldError, SpaceNotFoundError
from ramax.runtime.findings import Findings
from ramax.runtime.pstate_check import PstateCheck
from tests._domains import add, counter, delete, documents, put
from tests.runtime._damage import damage

ENOUGH = 1 << 20


class Checked:
    """A check that can be driven step by step."""

    def __init__(
        self, db: ramax.Database, space: ramax.Space, domain: Domain, **sizes: int
    ) -> None:
        self.findings = Findings()
        self.check = PstateCheck(
            space, domain, self.findings, sizes.get("page", 2), sizes.get("memory", ENOUGH)
        )
        self._read = db._core.read

    async def fold(self) -> None:
        await self._read(self.check.begin)
        while await self._read(self.check.fold_page):
            pass

    async def compare(self) -> list[str]:
        while await self._read(self.check.compare_page):
            pass
        self.check.close()
        return [each.message for each in self.findings.named]


async def checked(
    db: ramax.Database, domain: Domain, **sizes: int
) -> tuple[PstateCheck, list[str]]:
    found = Checked(db, await db.spaces.get("s"), domain, **sizes)
    await found.fold()
    return found.check, await found.compare()


@pytest.fixture
async def store(db):
    """Keys d1 to d6, of which d3 has been deleted again; another space holds other values."""
    other = await db.content_store("other", documents())
    store = await db.content_store("s", documents())
    for number in range(1, 7):
        await other.execute(put, (f"d{number}", {"v": -number}))
        await store.execute(put, (f"d{number}", {"v": number}))
    await store.execute(delete, "d3")
    return store


@pytest.mark.parametrize("page", [1, 2, 3, 100])
@pytest.mark.parametrize("memory", [0, ENOUGH])
async def test_what_events_made_is_their_fold(db, store, page, memory):
    check, messages = await checked(db, documents(), page=page, memory=memory)
    assert messages == []
    assert (check.compared, check.folded) == (5, 7)


async def test_an_empty_space_has_nothing_to_compare(db):
    await db.spaces.create("s")
    check, messages = await checked(db, documents())
    assert (messages, check.compared, check.folded) == ([], 0, 0)


@pytest.mark.parametrize("key", ["d1", "d4", "d6"])
async def test_a_missing_key_is_named(db, store, key):
    await damage(db, "DELETE FROM pstate_entities WHERE space_id = 2 AND key = :key", key=key)
    check, messages = await checked(db, documents())
    assert messages == [f"key '{key}' is missing: events make it"]
    assert check.compared == 5


async def test_every_key_may_be_missing(db, store):
    await damage(db, "DELETE FROM pstate_entities WHERE space_id = 2")
    _, messages = await checked(db, documents())
    assert messages == [f"key 'd{n}' is missing: events make it" for n in (1, 2, 4, 5, 6)]


@pytest.mark.parametrize("key", ["a", "d3", "z"])
async def test_a_key_that_no_event_makes_is_named(db, store, key):
    await damage(
        db,
        "INSERT INTO pstate_entities (space_id, key, value, format) VALUES (2, :key, :v, 'msgpack')",
        key=key,
        v=encode(1, "v"),
    )
    _, messages = await checked(db, documents())
    assert messages == [f"key '{key}' is there, but no event makes it"]


async def test_a_changed_value_is_named_also_if_only_its_type_changed(db, store):
    change = "UPDATE pstate_entities SET value = :v WHERE space_id = 2 AND key = :key"
    await damage(db, change, key="d2", v=encode({"v": 22}, "v"))
    await damage(db, change, key="d4", v=encode({"v": 4.0}, "v"))
    await damage(db, change, key="d5", v=b"\xc1")
    _, messages = await checked(db, documents())
    assert messages[:2] == [
        "key 'd2' is not what the events make it",
        "key 'd4' is not what the events make it",
    ]
    assert messages[2].startswith("key 'd5' cannot be read: stored value")
    assert len(messages) == 3


async def test_a_key_that_put_wrote_is_nobodys_fold(db, store):
    await store.pstate.put("extra", 1)
    await store.pstate.put("a", 2)
    assert (await checked(db, documents()))[1] == []


async def test_a_key_of_events_that_is_marked_as_put_is_named(db, store):
    await damage(db, "UPDATE pstate_entities SET direct = 1 WHERE space_id = 2 AND key = 'd1'")
    _, messages = await checked(db, documents())
    assert messages == ["key 'd1' is marked as written by put(), but events make it"]


async def test_values_in_an_older_format_are_compared_as_values(db, store):
    change = (
        "UPDATE pstate_entities SET value = :v, format = 'json' WHERE space_id = 2 AND key = :key"
    )
    await damage(db, change, key="d1", v=b'{"v": 1}')
    assert (await checked(db, documents()))[1] == []
    await damage(db, change, key="d1", v=b'{"v": 2}')
    assert (await checked(db, documents()))[1] == ["key 'd1' is not what the events make it"]


async def test_the_fold_ends_at_the_checkpoint(db, store):
    await db.events.append("s", "late", "doc.put", {"v": 1})
    check, messages = await checked(db, documents())
    assert (messages, check.folded) == ([], 7)


async def test_a_changed_applicator_shows(db, store):
    changed = Domain("documents")

    @changed.applicator("doc.put")
    def put_changed(state: Any, event: Any) -> None:
        state[event.entity_id] = dict(event.payload, seen=True)

    _, messages = await checked(db, changed)
    assert len(messages) == 6
    assert "key 'd3' is missing: events make it" in messages


async def test_writes_that_go_on_do_no_harm(db, store):
    found = Checked(db, store.space, documents(), page=1)
    await found.fold()
    await store.execute(put, ("d1", {"v": 100}))  # before what comes next
    await store.execute(delete, "d6")
    await store.execute(put, ("z", {"v": 1}))
    assert await db._core.read(found.check.compare_page)
    await store.execute(put, ("a", {"v": 1}))  # behind what was compared
    await store.execute(put, ("d1", {"v": 101}))
    await store.execute(delete, "d2")
    assert await found.compare() == []
    assert found.check.folded == 13


async def test_a_checkpoint_that_goes_back_is_named(db, store):
    found = Checked(db, store.space, documents())
    await found.fold()
    await damage(db, "UPDATE projection_checkpoints SET last_space_sequence = 2 WHERE space_id = 2")
    assert await found.compare() == ["the checkpoint went back, from 7 to 2"]


async def test_another_domain_is_refused(db, store):
    found = Checked(db, store.space, counter())
    with pytest.raises(DomainMismatchError):
        await found.fold()


async def test_an_event_that_cannot_be_folded_is_an_error(db, store):
    await damage(db, "UPDATE events SET entity_id = 'd9' WHERE space_id = 2 AND space_sequence = 7")
    with pytest.raises(FoldError, match="event 7 of space 's'"):
        await Checked(db, store.space, documents()).fold()
    await damage(
        db,
        "UPDATE events SET payload = :bad WHERE space_id = 2 AND space_sequence = 1",
        bad=b"\xc1",
    )
    with pytest.raises(DataError):
        await Checked(db, store.space, documents()).fold()


async def test_a_space_that_is_gone_is_an_error(db, store):
    found = Checked(db, store.space, documents())
    await found.fold()
    await db.spaces.delete("s", force=True)
    with pytest.raises(SpaceNotFoundError):
        await found.compare()


async def test_a_gap_in_the_log_is_not_this_checks_business(db):
    store = await db.content_store("s", counter())
    for _ in range(3):
        await store.execute(add)
    await damage(db, "DELETE FROM events WHERE space_sequence = 2")
    check, messages = await checked(db, counter())
    assert check.folded == 3
    assert messages == ["key 'n' is not what the events make it"]
