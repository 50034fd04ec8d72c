"""A folder that tools copy about: halves of files, files out of order, files of others."""

import random
import shutil
from pathlib import Path

import pytest

from ramax.core.sync.record import EventRecord
from ramax.errors import DataError, ForkError
from ramax.sync.directory import Directory
from tests._each import each
from tests.core.sync._records import ANNE, BOB, record, records

_open: list[Directory] = []


@pytest.fixture(autouse=True)
def closed():
    yield
    while _open:
        _open.pop().close()


def directory(path: Path, segment_bytes: int = 1 << 20) -> Directory:
    found = Directory(path, segment_bytes)
    _open.append(found)
    found.refresh("notes")
    return found


def everything(found: Directory, origin: bytes) -> list[EventRecord]:
    return found.page(origin, 0, found.vector.get(origin, 0), 10_000)


def test_files_that_come_out_of_order_count_once_the_hole_is_filled(tmp_path):
    source, target = tmp_path / "source", tmp_path / "target"
    writing = directory(source, segment_bytes=1)
    for seq in range(1, 6):
        writing.add("notes", records(ANNE, seq, seq))
    files = sorted(source.rglob("*.seg"))
    assert len(files) == 5
    reading = directory(target)
    seen = []
    for at in (4, 1, 0, 3, 2):
        copy = target / files[at].relative_to(source)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(files[at], copy)
        reading.refresh("notes")
        seen.append(reading.vector.get(ANNE, 0))
    assert seen == [0, 0, 2, 2, 5]
    assert everything(reading, ANNE) == records(ANNE, 1, 5)


def test_half_a_file_counts_up_to_its_last_whole_frame(tmp_path):
    source, target = tmp_path / "source", tmp_path / "target"
    writing = directory(source)
    for seq in range(1, 4):
        writing.add("notes", records(ANNE, seq, seq))
    (file,) = source.rglob("*.seg")
    data = file.read_bytes()
    copy = target / file.relative_to(source)
    copy.parent.mkdir(parents=True)
    reading = directory(target)
    reached = []
    for length in range(0, len(data) + 1, 40):
        copy.write_bytes(data[:length])
        reading.refresh("notes")
        reached.append(reading.vector.get(ANNE, 0))
    copy.write_bytes(data)
    reading.refresh("notes")
    assert reading.vector == {ANNE: 3}
    assert reached == sorted(reached)
    assert set(reached) >= {0, 1, 2}


def test_two_devices_may_write_the_same_records(tmp_path):
    """Both had them from elsewhere; a tool brings their folders together."""
    one, other = directory(tmp_path / "one"), directory(tmp_path / "other")
    one.add("notes", records(ANNE, 1, 6))
    other.add("notes", records(ANNE, 1, 4))
    other.add("notes", records(ANNE, 5, 9))
    other.add("notes", records(BOB, 1, 2))
    shutil.copytree(tmp_path / "other", tmp_path / "one", dirs_exist_ok=True)
    one.refresh("notes")
    assert one.vector == {ANNE: 9, BOB: 2}
    assert everything(one, ANNE) == everything(directory(tmp_path / "one"), ANNE)
    assert everything(one, ANNE) == records(ANNE, 1, 9)


def test_two_devices_that_wrote_different_records_for_one_place_are_a_fork(tmp_path):
    """B10, B18: a device that was restored from a backup wrote on under its old origin."""
    one, other = directory(tmp_path / "one"), directory(tmp_path / "other")
    one.add("notes", records(ANNE, 1, 4))
    other.add("notes", [*records(ANNE, 1, 2), record(ANNE, 3, "another")])
    shutil.copytree(tmp_path / "other", tmp_path / "one", dirs_exist_ok=True)
    for _ in range(2):
        with pytest.raises(ForkError) as caught:
            one.refresh("notes")
        assert caught.value.sequence == 3
    with pytest.raises(ForkError):
        directory(tmp_path / "one")


def test_files_that_a_tool_makes_are_left_alone(tmp_path):
    writing = directory(tmp_path)
    writing.space_uid = b"u" * 16
    writing.claim()
    writing.add("notes", records(ANNE, 1, 2))
    (file,) = tmp_path.rglob("*.seg")
    (tmp_path / "space-of-mine (conflicted copy)").write_text("x")
    (tmp_path / "origins" / "desktop.ini").write_text("x")
    (tmp_path / "origins" / "not an origin").mkdir()
    (file.parent / "notes.txt").write_text("x")
    (file.parent / "half.seg").write_bytes(b"RAM")
    reading = directory(tmp_path)
    assert (reading.space_uid, reading.held) == (b"u" * 16, True)
    assert reading.vector == {ANNE: 2}


def test_a_conflicted_copy_of_a_segment_is_the_same_records_again(tmp_path):
    writing = directory(tmp_path)
    writing.add("notes", records(ANNE, 1, 3))
    (file,) = tmp_path.rglob("*.seg")
    shutil.copy(file, file.with_name(f"{file.stem} (conflicted copy).seg"))
    writing.refresh("notes")
    assert directory(tmp_path).vector == writing.vector == {ANNE: 3}
    assert everything(writing, ANNE) == records(ANNE, 1, 3)


def test_a_segment_that_is_taken_away_is_missed_and_may_be_written_again(tmp_path):
    writing = directory(tmp_path, segment_bytes=1)
    for seq in range(1, 5):
        writing.add("notes", records(ANNE, seq, seq))
    sorted(tmp_path.rglob("*.seg"))[1].unlink()
    with pytest.raises(OSError, match="from 2 on are gone"):
        writing.refresh("notes")
    assert writing.vector == {ANNE: 1}
    again = directory(tmp_path)
    again.add("notes", records(ANNE, 2, 2))
    assert again.vector == {ANNE: 2}
    again.refresh("notes")
    assert everything(directory(tmp_path), ANNE) == records(ANNE, 1, 4)


def test_nobody_changes_a_file_after_his_own(tmp_path):
    """A13: there is no compaction; nothing is rewritten, so nothing can be lost by it."""
    directory(tmp_path).add("notes", records(ANNE, 1, 2))
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.seg")}
    directory(tmp_path).add("notes", records(ANNE, 3, 4))
    after = {path: path.read_bytes() for path in tmp_path.rglob("*.seg")}
    assert before.items() < after.items()
    assert not list(tmp_path.rglob("*.tmp"))


@each("seed", range(5))
async def test_every_page_follows_the_one_before(tmp_path_factory, seed: int):
    rng = random.Random(seed)
    root = tmp_path_factory.mktemp("pages")
    writing, top = directory(root, segment_bytes=rng.choice([1, 2000, 1 << 20])), 0
    while top < 60:
        size = rng.randint(1, 9)
        writing.add("notes", records(ANNE, top + 1, top + size))
        top += size
    reading, after, found = directory(root), 0, []
    while after < top:
        page = reading.page(ANNE, after, top, rng.randint(1, 12))
        found += page
        after = page[-1].origin_seq
    assert found == records(ANNE, 1, top)


@pytest.mark.parametrize("first", ["*.seg", "space-*"])
def test_spaces_that_meet_in_one_folder_do_not_mix(tmp_path, first):
    """B20: two devices began each its own in copies of the folder, which a tool brings together."""
    mine, theirs = tmp_path / "mine", tmp_path / "theirs"
    one, other = Directory(mine, 1 << 20, b"1" * 16), Directory(theirs, 1 << 20, b"2" * 16)
    for found, origin in ((one, ANNE), (other, BOB)):
        _open.append(found)
        found.claim()
        found.add("notes", records(origin, 1, 3))
    (came,) = theirs.rglob(first)
    copy = mine / came.relative_to(theirs)
    copy.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(came, copy)
    for use in (
        lambda: one.refresh("notes"),
        lambda: one.add("notes", records(ANNE, 4, 5)),
        lambda: directory(mine),
    ):
        with pytest.raises(DataError, match="another space"):
            use()
    assert one.vector == {ANNE: 3}
    assert everything(one, ANNE) == records(ANNE, 1, 3)


def test_a_folder_is_known_by_its_segments_where_the_rest_has_not_come(tmp_path):
    writing = Directory(tmp_path, 1 << 20, b"u" * 16)
    _open.append(writing)
    writing.add("notes", records(ANNE, 1, 3))
    found = directory(tmp_path)
    assert (found.space_uid, found.held) == (b"u" * 16, True)
