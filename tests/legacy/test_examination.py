import pytest

from ramax.errors import DataError, LegacyFormatError, MisuseError, SpaceNameError
from ramax.legacy import BadRowsError, open_source
from ramax.legacy.examination import examined, target_names
from tests.legacy.old_files import two_spaces


@pytest.fixture
def old(tmp_path):
    return two_spaces(tmp_path / "elixir.db")


@pytest.fixture
def source(old):
    with open_source(old.path) as opened:
        yield opened


def test_names_stay_unless_they_are_to_be_others(source):
    assert target_names(source.spaces, None, {}) == {2: "Acme Inc!", 3: "b"}
    assert target_names(source.spaces, "b", {"Acme Inc!": "acme"}) == {2: "acme", 3: "b"}
    assert target_names(source.spaces, None, {"Acme Inc!": "b", "b": "c"}) == {2: "b", 3: "c"}


def test_names_that_cannot_be_are_refused(source):
    for space, rename, error in [
        (None, {"x": "y"}, DataError),
        ("x", {}, DataError),
        (None, {"b": "Not Today"}, SpaceNameError),
        (None, {"Acme Inc!": "b"}, DataError),
    ]:
        with pytest.raises(error):
            target_names(source.spaces, space, rename)


async def test_a_sound_source_is_open_for_the_block_and_only_then(old):
    async with examined(str(old.path), rename={"b": "c"}) as found:
        assert found.names == {2: "Acme Inc!", 3: "c"}
        assert found.report.event_count == 10
        assert len(list(found.source.events())) == 10
    with pytest.raises(LegacyFormatError, match="closed"):
        list(found.source.events())


async def test_bad_rows_stop_it_or_are_left_out(old):
    old.run("UPDATE events SET payload = CAST(x'83' AS TEXT) WHERE event_id = 4")
    with pytest.raises(BadRowsError, match="events 4"):
        async with examined(old.path):
            pass
    async with examined(old.path, skip_bad=True) as found:
        assert [bad.row for bad in found.report.bad_rows] == [(4,)]
        assert [e.event_id for e in found.source.events()] == [1, 2, 3, 5, 6, 7, 8, 9, 10]


async def test_it_needs_a_file():
    with pytest.raises(MisuseError, match="name the file"):
        async with examined():
            pass
