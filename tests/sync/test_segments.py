"""A segment gives back its whole frames, whatever was done to its end."""

import os
import resource
import signal
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ramax.errors import DataError
from ramax.sync.segments import Frame, SegmentWriter, checksum, load, scan, write_file
from tests.core.sync._records import ANNE, BOB, records

BIG = 1 << 20
UID = b"u" * 16


def filled(folder: Path) -> tuple[Path, list[Frame]]:
    writer = SegmentWriter(folder, "me", BIG, UID)
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


def test_a_length_beyond_the_end_of_the_file_asks_for_no_memory(tmp_path):
    path, frames = filled(tmp_path)
    with path.open("ab") as file:
        file.write((1 << 31).to_bytes(8) + (7).to_bytes(8) + (1).to_bytes(4))
    tracemalloc.start()
    try:
        assert scan(path, 0).frames == frames
        assert tracemalloc.get_traced_memory()[1] < BIG
    finally:
        tracemalloc.stop()


def test_a_full_segment_is_followed_by_another(tmp_path):
    writer = SegmentWriter(tmp_path, "me", 1, UID)
    paths = {writer.add(records(ANNE, seq, seq)).path for seq in (1, 2, 3)}
    writer.close()
    assert paths == set(tmp_path.iterdir())
    assert sorted(f.first for p in paths for f in scan(p, 0).frames) == [1, 2, 3]


def test_after_a_failure_nothing_is_added_to_the_same_file(tmp_path, monkeypatch):
    writer = SegmentWriter(tmp_path, "me", BIG, UID)
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


@contextmanager
def disk_full_after(size: int) -> Iterator[None]:
    """Let no file grow beyond a size: as on a full disk, what still fits is taken first."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


def test_what_does_not_fit_on_the_disk_is_an_error_and_not_half_there(tmp_path):
    writer = SegmentWriter(tmp_path, "me", BIG, UID)
    frame = writer.add(records(ANNE, 1, 2))
    with disk_full_after(frame.size + 100), pytest.raises(OSError):
        writer.add(records(ANNE, 3, 9))
    assert scan(frame.path, 0).frames == [frame]
    after = writer.add(records(ANNE, 3, 9))  # there is room again
    assert after.path != frame.path
    assert load(after, ANNE) == records(ANNE, 3, 9)
    writer.close()


def test_a_new_file_that_does_not_fit_leaves_nothing_behind(tmp_path):
    with disk_full_after(1000), pytest.raises(OSError):
        write_file(tmp_path / "new", bytes(5000))
    assert list(tmp_path.iterdir()) == []
