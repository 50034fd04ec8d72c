"""Look through an old database, payload by payload, and say what an import would find."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ramax.core import codec, erlang
from ramax.core.erlang_keys import KeyCollision
from ramax.errors import DataError
from ramax.legacy.records import BadRow, LegacyEvent, LegacySpace, LegacyValue
from ramax.legacy.source import LegacySource, OnBad, open_source

_COMPRESSED_ETF: Final = b"\x83P"


@dataclass(frozen=True, slots=True)
class RenamedKey:
    """A key that was renamed, in the payload or value of a row, because Python has its equal."""

    table: str
    row: tuple[object, ...]
    collision: KeyCollision


@dataclass(frozen=True, slots=True)
class LegacyReport:
    """What an old database holds.

    ``encodings`` counts rows per table and encoding: "etf", "etf, compressed", "json", "msgpack".
    ``orphans`` counts the pstate rows of deleted spaces, which are not imported, by space id.
    ``bad_rows`` cannot be imported; ``renamed_keys`` can, and are not as they were.
    """

    paths: tuple[Path, ...]
    form: str
    spaces: tuple[LegacySpace, ...]
    encodings: Mapping[str, Mapping[str, int]]
    orphans: Mapping[int, int]
    bad_rows: tuple[BadRow, ...]
    renamed_keys: tuple[RenamedKey, ...]

    @property
    def event_count(self) -> int:
        """Events of all spaces."""
        return sum(space.event_count for space in self.spaces)

    @property
    def key_count(self) -> int:
        """Keys of all spaces, without orphans."""
        return sum(space.key_count for space in self.spaces)


def inspect(
    *paths: Path, pstate_table: str | None = None, space_name: str = "default"
) -> LegacyReport:
    """Read everything and decode everything; arguments and errors as `open_source`."""
    with open_source(*paths, pstate_table=pstate_table, space_name=space_name) as source:
        return examine(source, paths)


def examine(source: LegacySource, paths: tuple[Path, ...]) -> LegacyReport:
    """Do what `inspect` does with the source that was opened from ``paths``."""
    bad = list(source.bad_spaces)
    encodings: dict[str, Counter[str]] = {}
    renamed: list[RenamedKey] = []
    for record in _records(source, bad.append):
        table, row = source.row_of(record)
        stored = record.payload if isinstance(record, LegacyEvent) else record.value
        encodings.setdefault(table, Counter())[_encoding(stored, record.format)] += 1
        try:
            collisions = _collisions(stored, record.format)
        except DataError as error:
            bad.append(BadRow(table, row, str(error)))
        else:
            renamed += [RenamedKey(table, row, collision) for collision in collisions]
    for _ in source.checkpoints(bad.append):
        pass
    return LegacyReport(
        paths, source.form, source.spaces, encodings, source.orphans, tuple(bad), tuple(renamed)
    )


def _records(source: LegacySource, bad: OnBad) -> Iterator[LegacyEvent | LegacyValue]:
    yield from source.events(bad)
    yield from source.values(bad)


def _collisions(stored: bytes, format: str) -> tuple[KeyCollision, ...]:  # noqa: A002 - column
    """Decode; what cannot be decoded raises `DataError`."""
    if format == codec.FORMAT_ETF:
        return erlang.decode_with_report(stored)[1]
    codec.decode_tagged(stored, format)
    return ()


def _encoding(stored: bytes, format: str) -> str:  # noqa: A002 - the column has this name
    return f"{format}, compressed" if stored[:2] == _COMPRESSED_ETF else format
