import pytest

import ramax
from ramax import DomainMismatchError, SchemaError, SpaceNotFoundError
from ramax.runtime.findings import Finding
from tests._cards import NEW, OLD, cards, old_cards, put
from tests.runtime.test_write_back import filled, quiet, stored, version

__all__ = ["quiet"]


async def test_every_value_is_rewritten_and_no_reader_sees_a_difference(quiet):
    store = await filled(quiet)
    told: list[ramax.Progress] = []
    report = await store.migrate_pstate(progress=told.append)
    assert await stored(quiet) == NEW
    assert (report.keys, report.outdated, report.written, report.failure_count) == (4, 3, 3, 0)
    assert report.changed == {
        "card.tags": 2, "card.level": 2, "card.deck": 2, "card.back": 1,
        "deck.title": 1, "deck.cards": 1, "deck.name": 1,
    }  # fmt: skip
    assert (report.lost, report.emptied) == ({}, {})
    assert report.unread == {"deck.note": 1}
    assert [(p.done, p.total) for p in told] == [(4, 4)]
    again = await store.migrate_pstate()
    assert (again.outdated, again.written, again.changed) == (0, 0, {})


async def test_a_dry_run_changes_nothing_and_says_the_same(quiet):
    store = await filled(quiet)
    before = await version(quiet)
    dry = await store.migrate_pstate(dry_run=True)
    assert await stored(quiet) == OLD
    assert await version(quiet) == before
    assert (dry.dry_run, dry.outdated, dry.written, dry.loses_data) == (True, 3, 0, False)
    real = await store.migrate_pstate()
    assert (dry.changed, dry.unread) == (real.changed, real.unread)


async def test_a_change_that_would_lose_data_is_reported(quiet):
    both = {"name": "old", "title": "new", "cards": {}}
    store = await filled(quiet, values={"deck:1": both, "deck:2": {"name": "x", "cards": {}}})
    report = await store.migrate_pstate(dry_run=True)
    assert report.lost == {"deck.name": 1}
    assert report.loses_data


async def test_failures_are_named_and_the_others_are_migrated(quiet):
    store = await filled(quiet, values=OLD | {"card:3": {"front": "x", "level": "many"}})
    report = await store.migrate_pstate()
    assert report.failure_count == 1
    assert "'level' of card 'card:3' 'many': its migrate failed" in str(report.failures[0])
    after = await stored(quiet)
    assert after.pop("card:3") == {"front": "x", "level": "many"}
    assert after == NEW


async def test_pages_and_batches_are_as_large_as_they_may_be(url):
    async with ramax.connect(url, write_back_batch=3) as db:
        object.__setattr__(db._core.options, "page", 4)
        values = {f"card:{n:02}": {"front": str(n), "tags": "a", "level": n} for n in range(10)}
        store = await filled(db, values=values)
        before = await version(db)
        report = await store.migrate_pstate()
        assert (report.keys, report.written) == (10, 10)
        # pages of 4, 4 and 2 keys in batches of 3 and 1, 3 and 1, 2
        assert (await version(db)).state_version == before.state_version + 5
        assert {value["tags"][0] for value in (await stored(db)).values()} == {"a"}


async def test_only_a_domain_that_fits_may_migrate(quiet):
    await filled(quiet)
    other = await quiet.content_store("s", cards(name="other"))
    with pytest.raises(DomainMismatchError):
        await other.migrate_pstate()
    assert await stored(quiet) == OLD


async def test_a_space_without_a_row_has_nothing_and_a_deleted_one_is_missed(quiet):
    store = await quiet.content_store("default", cards())
    assert (await store.migrate_pstate()).keys == 0
    gone = await filled(quiet)
    await quiet.spaces.delete("s", force=True)
    with pytest.raises(SpaceNotFoundError):
        await gone.migrate_pstate()


async def test_verify_compares_what_readers_see_and_lists_what_cannot_be_read(quiet):
    store = await filled(quiet, values={"deck:d": OLD["deck:d"], "card:1": NEW["card:1"]})
    await (await quiet.content_store("s", old_cards())).pstate.put("card:2", {"front": 7})
    [report] = [r async for r in quiet.verify("s", cards("off"))]
    assert [f for f in report.findings if "card:2" not in f.message] == []
    await store.execute(put, ("card:1", NEW["card:1"]))
    [report] = [r async for r in quiet.verify("s", warned())]
    assert report.findings == (Finding("pstate", "field 'front' of card 'card:2' 7: must be str"),)


def warned():
    return cards("warn")


async def test_verify_lists_a_value_whose_migration_fails(quiet):
    await filled(quiet, values={"card:1": {"front": "a", "level": "many"}})
    [report] = [r async for r in quiet.verify("s", cards("off"))]
    [finding] = report.findings
    assert finding.check == "pstate"
    assert "field 'level' of card 'card:1' 'many': its migrate failed" in finding.message


async def test_verify_lists_a_value_that_today_does_not_pass_its_validate(quiet):
    old = await quiet.content_store("s", old_cards())
    good = {"front": "a", "back": "", "tags": [], "level": 1, "deck": None}
    await old.execute(put, ("card:1", good))
    await old.pstate.put("card:2", good | {"front": 7})
    await old.pstate.put("card:3", good | {"level": -1})
    store = await quiet.content_store("s", cards())
    assert await store.pstate.get("card:1") == good
    for key, rule in (("card:2", "must be str"), ("card:3", "must pass <lambda>")):
        with pytest.raises(SchemaError, match=rule):
            await store.pstate.get(key)
    [report] = [r async for r in quiet.verify("s", cards())]
    assert [each.message for each in report.findings] == [
        "field 'front' of card 'card:2' 7: must be str",
        "field 'level' of card 'card:3' -1: must pass <lambda>",
    ]
