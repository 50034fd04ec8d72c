"""Sealed secrets in a folder: each change is a file of its own, which nobody ever rewrites."""

import secrets
from pathlib import Path
from typing import Final

from ramax.core.sealed import SealedSet, merged
from ramax.core.sync.wire import pack_sealed, unpack_sealed
from ramax.errors import DataError
from ramax.sync.segments import checksum, write_file

_SUFFIX: Final = ".sealed"
_MAGIC: Final = b"RAMAXSE1"
_CHECK: Final = len(checksum())


class SealedFiles:
    """One folder; a file that was read once is not read again."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._known: dict[str, SealedSet] = {}

    def read(self) -> SealedSet:
        """Return what wins of all that are there."""
        found = SealedSet()
        for path in sorted(self._folder.glob(f"*{_SUFFIX}")) if self._folder.exists() else ():
            if path.name not in self._known:
                read = _read(path)
                if read is None:
                    continue  # half of it; the rest will come
                self._known[path.name] = read
            found = merged(found, self._known[path.name])
        return found

    def add(self, given: SealedSet) -> None:
        """Write what wins over what is there."""
        before = self.read()
        after = merged(before, given)
        new = SealedSet(
            tuple(key for key in after.keys if key not in before.keys),
            tuple(secret for secret in after.secrets if secret not in before.secrets),
        )
        if new != SealedSet():
            body = pack_sealed(new)
            name = f"{secrets.token_hex(12)}{_SUFFIX}"
            write_file(self._folder / name, _MAGIC + checksum(body) + body)


def _read(path: Path) -> SealedSet | None:
    data = path.read_bytes()
    start = len(_MAGIC)
    body = data[start + _CHECK :]
    if data[:start] != _MAGIC or data[start : start + _CHECK] != checksum(body):
        return None
    try:
        return unpack_sealed(body)
    except DataError:  # of a later version
        return None
