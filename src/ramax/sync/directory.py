"""A folder that holds a space: what is in its files, and adding to it; blocking.

``space-<uid>`` says which space it is, ``origins/<origin>/`` has the segments of each origin, and
``secrets/`` sealed secrets. Several devices may write into copies of it that a tool keeps the
same: each makes files of its own, and none ever changes a file of another.
"""

import secrets
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Final

from ramax.core.sealed import ID_BYTES
from ramax.core.sync.accepting import accept
from ramax.core.sync.record import EventRecord
from ramax.errors import DataError, ForkError
from ramax.sync.sealed_files import SealedFiles
from ramax.sync.segments import SUFFIX, Frame, SegmentWriter, load, scan, write_file

_SPACE: Final = "space-"


@dataclass
class _Origin:
    """What is known of one origin: frames that follow each other, and those that wait."""

    chain: list[Frame] = field(default_factory=list)
    waiting: list[Frame] = field(default_factory=list)
    ends: dict[Path, int] = field(default_factory=dict)
    """Up to where each segment was checked."""

    @property
    def top(self) -> int:
        return self.chain[-1].last if self.chain else 0


class Directory:
    """One folder, as this object has seen it; `refresh` looks again."""

    def __init__(self, root: Path, segment_bytes: int, space_uid: bytes | None = None) -> None:
        self.root, self._segment_bytes = root, segment_bytes
        self.space_uid = space_uid
        """The space that is meant, or else the first one that is there."""

        self.held = False
        """Whether it holds anything of that space, if only its id."""
        self._writer = secrets.token_hex(8)
        self._origins: dict[bytes, _Origin] = {}
        self._writers: dict[bytes, SegmentWriter] = {}
        self.sealed = SealedFiles(root / "secrets")
        self._last: tuple[Frame, list[EventRecord]] | None = None

    @property
    def vector(self) -> dict[bytes, int]:
        """How far it is, by origin: up to the first sequence that is not there."""
        return {origin: known.top for origin, known in self._origins.items() if known.top}

    def claim(self) -> None:
        """Say which space it holds from now on, if it does not say so yet.

        Raises:
            DataError: It says that it holds another one.
        """
        self._look_at_claims()
        if self.space_uid is not None and self.space_uid not in self._claims():
            path = self.root / f"{_SPACE}{self.space_uid.hex()}"
            write_file(path, b"a space of ramax\n")
            self.held = True

    def _claims(self) -> list[bytes]:
        ids = (_id_of(path.name.removeprefix(_SPACE)) for path in self.root.glob(f"{_SPACE}*"))
        return [uid for uid in ids if uid is not None]

    def _look_at_claims(self) -> None:
        for uid in self._claims():
            self._check_space(uid)

    def _check_space(self, uid: bytes | None) -> None:
        """Two devices may each have begun a space in copies of the folder: they must not mix."""
        if uid is None:
            return
        if self.space_uid not in {None, uid}:
            rule = "holds another space as well; each needs a folder of its own"
            raise DataError("folder", str(self.root), rule)
        self.space_uid, self.held = uid, True

    def refresh(self, space: str) -> None:
        """Look at what has come since the last time.

        Raises:
            DataError: Something there is of another space; nothing of that is taken.
            ForkError: Two segments hold different records for one place.
            OSError: Records that were there are gone; the next look begins with what is left.
        """
        self._look_at_claims()
        origins = self.root / "origins"
        found = {_id_of(folder.name): folder for folder in _folders(origins)}
        found |= {origin: origins / origin.hex() for origin in self._origins}
        for origin, folder in found.items():
            if origin is None:
                continue
            known, top = self._origins.setdefault(origin, _Origin()), 0
            if not self._follows(folder, known):
                known, top = _Origin(), known.top
                self._origins[origin] = known
            self._look(space, origin, folder, known)
            if known.top < top:
                raise FileNotFoundError(f"{folder}: records from {known.top + 1} on are gone")

    def _follows(self, folder: Path, known: _Origin) -> bool:
        """Whether all that was seen of an origin is still there."""
        return all(
            path.exists() and path.stat().st_size >= end
            for path, end in known.ends.items()
            if path.parent == folder
        )

    def _look(self, space: str, origin: bytes, folder: Path, known: _Origin) -> None:
        for path in sorted(folder.glob(f"*{SUFFIX}")):
            end = known.ends.get(path, 0)
            if path.stat().st_size > end:
                found = scan(path, end)
                self._check_space(found.space_uid)
                known.waiting += found.frames
                known.ends[path] = found.end
        known.waiting.sort(key=lambda frame: (frame.first, -frame.last))
        later = []
        for frame in known.waiting:
            if frame.first > known.top + 1:
                later.append(frame)
                continue
            self._compare(space, origin, known, frame)
            if frame.last > known.top:
                known.chain.append(frame)
        known.waiting = later

    def _compare(self, space: str, origin: bytes, known: _Origin, frame: Frame) -> None:
        """Two devices may have written the same records; they must not differ."""
        if frame.first > known.top:
            return
        for record in load(frame, origin):
            if record.origin_seq > known.top:
                return
            if self._at(known, origin, record.origin_seq).digest != record.digest:
                raise ForkError(space, origin, record.origin_seq)

    def _at(self, known: _Origin, origin: bytes, seq: int) -> EventRecord:
        frame = known.chain[bisect_left(known.chain, seq, key=lambda each: each.last)]
        return self._load(frame, origin)[seq - frame.first]

    def _load(self, frame: Frame, origin: bytes) -> list[EventRecord]:
        """Read a frame; the one that was read last is at hand, as it is often asked for again."""
        if self._last is None or self._last[0] != frame:
            self._last = frame, load(frame, origin)
        return self._last[1]

    def page(self, origin: bytes, after: int, upto: int, limit: int) -> list[EventRecord]:
        """Return the records of an origin with after < sequence <= upto, at most ``limit``."""
        known = self._origins[origin]
        page: list[EventRecord] = []
        at = bisect_left(known.chain, after + 1, key=lambda each: each.last)
        for frame in known.chain[at:]:
            if len(page) >= limit or frame.first > upto:
                break
            for record in self._load(frame, origin):
                if after < record.origin_seq <= upto:
                    page.append(record)
                    after = record.origin_seq
        return page[:limit]

    def add(self, space: str, records: Sequence[EventRecord]) -> int:
        """Take records that are safe when this returns, and say how many were there already.

        Raises:
            GapError: Records of an origin before these are missing.
            ForkError: A record is there with other content; nothing is written.
        """
        self.refresh(space)
        new, duplicates = accept(space, records, self.vector, self._digest_at)
        for origin, run in groupby(new, key=lambda record: record.origin):
            known = self._origins.setdefault(origin, _Origin())
            writer = self._writers.get(origin)
            if writer is None:
                folder = self.root / "origins" / origin.hex()
                writer = SegmentWriter(folder, self._writer, self._segment_bytes, self.space_uid)
                self._writers[origin] = writer
            frame = writer.add(list(run))
            known.chain.append(frame)
            known.ends[frame.path] = frame.offset + frame.size
        return duplicates

    def _digest_at(self, origin: bytes, seq: int) -> bytes:
        return self._at(self._origins[origin], origin, seq).digest

    def close(self) -> None:
        """Let go of the files."""
        for writer in self._writers.values():
            writer.close()
        self._writers.clear()


def _folders(parent: Path) -> Iterator[Path]:
    if parent.exists():
        yield from sorted(path for path in parent.iterdir() if path.is_dir())


def _id_of(text: str) -> bytes | None:
    """Return the id that a name is; other files, as copies in conflict, are not ours."""
    try:
        found = bytes.fromhex(text)
    except ValueError:
        return None
    return found if len(found) == ID_BYTES and found.hex() == text else None
