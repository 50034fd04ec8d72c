"""A segment gives back its whole frames, whatever was done to its end."""

import os
from pathlib import Path

import pytest

from ramax.errors import DataError
from ramax.sync.segments import Frame, SegmentWriter, checksum, load, scan, write_file
from tests.core.sync._records import ANNE, BOB, records

BIG = 1 << 20


def filled(folder: Path) -> tuple[Path, list[Frame]]:
    writer = SegmentWriter(folder, "me", BIG)
    frames = [writer.add(records(ANNE, first, first + 1)) for first in (1, 3, 5)]
    writer.close()
    return frames[0].path, frames


def test_frames_come_back_as_they_were_added(tmp_path):
    path, frames = filled(tmp_path)
    assert scan(path, 0).frames == frames
    assert [r for f in frames for r in load(f, ANNE)] == records(ANNE, 1, 6)


def test_whatever_a_crash_cuts_off_the_frames_before_it_are_whole(tmp_path):
    path, frames = filled(tmp_path)
    data = path.read_bytes()
    last = frames[-1]
    for length in range(last.offset, len(data)):
        path.write_bytes(data[:length])
        assert scan(path, 0).frames == frames[:2]
        assert scan(path, 0).end == last.offset
    path.write_bytes(data)
    assert scan(path, last.offset).frames == [last]  # the rest of it came


def test_no_changed_byte_passes(tmp_path):
    path, frames = filled(tmp_path)
    data = bytearray(path.read_bytes())
    for at in range(0, len(data), 7):
        data[at] ^= 1
        path.write_bytes(data)
        data[at] ^= 1
        whole = scan(path, 0).frames
        assert whole == [f for f in frames if f.offset + f.size <= at]


def test_zeros_behind_the_end_are_no_frame(tmp_path):
    path, frames = filled(tmp_path)
    with path.open("ab") as file:
        file.write(bytes(4096))
    assert scan(path, 0).frames == frames


def test_a_full_segment_is_followed_by_another(tmp_path):
    writer = SegmentWriter(tmp_path, "me", 1)
    paths = {writer.add(records(ANNE, seq, seq)).path for seq in (1, 2, 3)}
    writer.close()
    assert paths == set(tmp_path.iterdir())
    assert sorted(f.first for p in paths for f in scan(p, 0).frames) == [1, 2, 3]


def test_after_a_failure_nothing_is_added_to_the_same_file(tmp_path, monkeypatch):
    writer = SegmentWriter(tmp_path, "me", BIG)
    first = writer.add(records(ANNE, 1, 1))
    with monkeypatch.context() as full:
        full.setattr(os, "fsync", fail)
        with pytest.raises(OSError, match="disk"):
            writer.add(records(ANNE, 2, 2))
    again = writer.add(records(ANNE, 2, 2))
    assert again.path != first.path
    assert load(again, ANNE) == records(ANNE, 2, 2)
    writer.close()


def fail(_descriptor: int) -> None:
    raise OSError("no space on the disk")


def test_a_new_file_is_there_as_a_whole_or_not_at_all(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="disk"):
        write_file(tmp_path / "new", b"data")
    assert not (tmp_path / "new").exists()


def test_records_of_another_origin_and_changed_frames_are_refused(tmp_path):
    path, frames = filled(tmp_path)
    with pytest.raises(DataError):
        load(frames[0], BOB)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(DataError):
        load(frames[2], ANNE)


def test_a_checksum_is_of_all_its_parts():
    assert checksum(b"ab", b"c") == checksum(b"a", b"bc") != checksum(b"ab")
