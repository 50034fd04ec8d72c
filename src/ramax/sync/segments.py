"""Files of records that are only ever added to, so that a folder of them can be synced by anybody.

A segment says which space it is of, and holds records of one origin in frames: length, first
sequence and count, a checksum, and the packed records. Only the object that made a segment adds to
it, and never after a failure: a frame that is cut off, by a crash or by a tool that has copied
half of the file, ends what is known of the segment until the rest of it comes.
"""

import os
import struct
from collections.abc import Iterator, Sequence
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path
from secrets import token_hex
from typing import BinaryIO, Final, NamedTuple

from ramax.core.sealed import ID_BYTES
from ramax.core.sync.record import EventRecord
from ramax.core.sync.wire import pack_records, unpack_records
from ramax.errors import DataError

MAGIC: Final = b"RAMAXSG2"
"""Begins a segment; the id of its space follows, and a checksum of both."""

SUFFIX: Final = ".seg"
UNKNOWN: Final = bytes(ID_BYTES)
"""Stands for a space whose id the writer did not know."""

_HEAD: Final = struct.Struct(">QQI")
"""Bytes of the body, first sequence, count of records."""

_CHECK_BYTES: Final = 16
_START: Final = len(MAGIC) + ID_BYTES + _CHECK_BYTES


class Frame(NamedTuple):
    """Where a run of records is."""

    path: Path
    offset: int
    size: int
    first: int
    last: int


class Scan(NamedTuple):
    """The whole frames of a segment from a place on, and where they end."""

    frames: list[Frame]
    end: int
    space_uid: bytes | None = None
    """Of the space; None if it is not known, or was not looked at."""


def scan(path: Path, start: int) -> Scan:
    """Check the frames of a segment from ``start`` on (0: its beginning), up to a torn one."""
    frames: list[Frame] = []
    space_uid = None
    with path.open("rb") as file:
        if start == 0:
            head = file.read(_START)
            uid = head[len(MAGIC) : -_CHECK_BYTES]
            if head != _started(uid):
                return Scan([], 0)
            start, space_uid = _START, None if uid == UNKNOWN else uid
        file.seek(start)
        for frame in _frames(file, path, start):
            frames.append(frame)
            start = frame.offset + frame.size
    return Scan(frames, start, space_uid)


def load(frame: Frame, origin: bytes) -> list[EventRecord]:
    """Read the records of a frame.

    Raises:
        OSError: The file is gone.
        DataError: It is not what it was when it was scanned, or its records are of another origin.
    """
    with frame.path.open("rb") as file:
        file.seek(frame.offset)
        body = _body(file, frame)
    if body is None:
        raise DataError("segment", frame.path.name, "was changed")
    found = unpack_records(body)
    expected = range(frame.first, frame.last + 1)
    if [(r.origin, r.origin_seq) for r in found] != [(origin, seq) for seq in expected]:
        raise DataError("segment", frame.path.name, "does not hold what its name and frames say")
    return found


class SegmentWriter:
    """Adds to segments of its own of one origin; a new one is begun when one is full, or failed."""

    def __init__(self, folder: Path, writer: str, most: int, space_uid: bytes | None) -> None:
        self._folder, self._writer, self._most = folder, writer, most
        self._start = _started(space_uid or UNKNOWN)
        self._file: BinaryIO | None = None
        self._path = folder
        self._size = 0

    def add(self, records: Sequence[EventRecord]) -> Frame:
        """Add records that follow each other, and return where they are when they are safe."""
        body = pack_records(records)
        first, last = records[0].origin_seq, records[-1].origin_seq
        data = _packed(body, first, len(records))
        if self._file is None or self._size + len(data) > self._most:
            self.close()
            return self._begin(data, first, last)
        try:
            _save(self._file, data)
        except OSError:
            self.close()  # what was written of it may be torn
            raise
        frame = Frame(self._path, self._size, len(data), first, last)
        self._size += len(data)
        return frame

    def _begin(self, data: bytes, first: int, last: int) -> Frame:
        self._path = self._folder / f"{first:019d}-{self._writer}{SUFFIX}"
        write_file(self._path, self._start + data)
        self._file = self._path.open("ab", buffering=0)
        self._size = _START + len(data)
        return Frame(self._path, _START, len(data), first, last)

    def close(self) -> None:
        """Add no more to the segment."""
        file, self._file = self._file, None
        if file is not None:
            with suppress(OSError):
                file.close()


def write_file(path: Path, data: bytes) -> None:
    """Make a new file that is there as a whole or not at all, also after a crash."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.{token_hex(4)}.tmp")  # others may make it, too
    try:
        with unfinished.open("wb", buffering=0) as file:
            _save(file, data)
        unfinished.replace(path)
    except OSError:
        with suppress(OSError):
            unfinished.unlink()
        raise
    _save_folder(path.parent)


def checksum(*parts: bytes) -> bytes:
    """Return what tells whether bytes are as they were written."""
    return blake2b(b"".join(parts), digest_size=_CHECK_BYTES).digest()


def _started(space_uid: bytes) -> bytes:
    head = MAGIC + space_uid
    return head + checksum(head)


def _packed(body: bytes, first: int, count: int) -> bytes:
    head = _HEAD.pack(len(body), first, count)
    return head + checksum(head, body) + body


def _frames(file: BinaryIO, path: Path, offset: int) -> Iterator[Frame]:
    end = os.fstat(file.fileno()).st_size
    while True:
        head = file.read(_HEAD.size)
        if len(head) < _HEAD.size:
            return
        length, first, count = _HEAD.unpack(head)
        frame = Frame(path, offset, _HEAD.size + _CHECK_BYTES + length, first, first + count - 1)
        if frame.offset + frame.size > end or not first or not count:
            return
        file.seek(offset)
        if _body(file, frame) is None:
            return
        yield frame
        offset += frame.size


def _body(file: BinaryIO, frame: Frame) -> bytes | None:
    """Read what a frame holds; None where it is torn or damaged."""
    data = file.read(frame.size)
    if len(data) < frame.size:
        return None
    head, rest = data[: _HEAD.size], data[_HEAD.size :]
    check, body = rest[:_CHECK_BYTES], rest[_CHECK_BYTES:]
    return body if checksum(head, body) == check else None


def _save(file: BinaryIO, data: bytes) -> None:
    left = memoryview(data)
    while left:  # where the disk is nearly full, only a part is taken, and no error is raised
        left = left[file.write(left) :]
    os.fsync(file.fileno())


def _save_folder(folder: Path) -> None:
    if os.name == "nt":  # a folder cannot be opened there
        return
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
