import pytest

from ramax.legacy import ImportConflictError, import_legacy, open_source
from ramax.legacy.examination import target_names
from ramax.legacy.target import is_empty, survey
from tests.legacy.old_files import two_spaces


@pytest.fixture
def source(tmp_path):
    with open_source(two_spaces(tmp_path / "elixir.db").path) as opened:
        yield opened


async def test_a_survey_tells_new_empty_and_present_spaces_apart(db, source, tmp_path):
    names = target_names(source.spaces, None, {})
    made = await db.spaces.create("b")
    run = db._core.read
    known = await survey(run, source, names)
    assert [(d.found and d.found.space_id, d.present) for d in known.destinations] == [
        (None, False),
        (made.space_id, False),
    ]
    assert known.place() == {3: made.space_id}
    await import_legacy(db, tmp_path / "elixir.db")
    known = await survey(run, source, names)
    assert all(d.present for d in known.destinations)
    assert known.ids.kept


async def test_all_conflicts_are_told_at_once(db, source):
    for name in ("x", "y"):
        await db.spaces.create(name)
        await db.events.append(name, "e", "t", {})
    with pytest.raises(ImportConflictError) as caught:
        await survey(db._core.read, source, {2: "x", 3: "y"})
    assert list(caught.value.conflicts) == ["x", "y"]


async def test_empty_is_what_never_had_an_event_and_has_no_key(db):
    run = db._core.read
    for name, fill in [
        ("nothing", None),
        ("a_key", db.pstate.put("a_key", "k", 1)),
        ("an_event", db.events.append("an_event", "e", "t", {})),
    ]:
        made = await db.spaces.create(name)
        if fill is not None:
            await fill
        assert await run(lambda ex, s=made: is_empty(ex, s.space_id)) is (fill is None)
