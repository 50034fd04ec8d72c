import pytest

from ramax.errors import CodecError
from ramax.storage import spaces
from tests._tables import dump


async def test_a_space_is_created_once_with_its_guard(db):
    made = await db._core.locked("a test", lambda ex: spaces.create(ex, "s", {"a": 1}, 5))
    assert made.metadata == {"a": 1}
    assert await db._core.locked("a test", lambda ex: spaces.create(ex, "s", None, 6)) is None
    assert await db._core.read(lambda ex: spaces.find_by_name(ex, "s")) == made
    assert await db._core.read(lambda ex: spaces.find_by_id(ex, made.space_id)) == made
    guards = (await dump(db))["space_sequences"]
    assert [(g["space_id"], g["last_sequence"]) for g in guards] == [(made.space_id, 0)]


async def test_what_is_not_there_is_none(db):
    assert await db._core.read(lambda ex: spaces.find_by_name(ex, "none")) is None
    assert await db._core.read(lambda ex: spaces.find_by_id(ex, 9)) is None


async def test_a_prefix_is_taken_as_it_stands(db):
    for name in ("crm_b", "crmxa", "crm_a", "cr"):
        await db.spaces.create(name)
    found = await db._core.read(lambda ex: spaces.list_all(ex, "crm_"))
    assert [space.space_name for space in found] == ["crm_b", "crm_a"]
    assert len(await db._core.read(spaces.list_all)) == 4


def test_metadata_that_is_no_mapping_is_refused_and_an_empty_one_is_not_stored():
    assert spaces.pack_metadata({}, "s") is None
    with pytest.raises(CodecError, match="metadata of space 's'"):
        spaces.pack_metadata([1], "s")  # type: ignore[arg-type]


def test_a_name_that_no_database_can_hold_is_told_before_it_is_asked():
    assert spaces.is_storable_name("Ünïcode name")
    assert not spaces.is_storable_name("a\x00b")
    assert not spaces.is_storable_name("\ud800")
