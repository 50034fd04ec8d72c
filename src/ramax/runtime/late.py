"""Folding events that came late: after others that follow them in the order of all replicas.

Whatever order events come in, every replica folds them in the order of their stamps. What a late
event is about is folded anew, from its beginning: the key or the cell alone where the data type
says that nothing else depends on it, else the space as a whole. An entity that stands alone, as a
tree does, is rewound in memory, and only what differs is written.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ramax.core.datatypes import find_type
from ramax.core.datatypes.datatype import DataType
from ramax.core.datatypes.replica import REPLICA
from ramax.core.domain import OWN_TYPES, Domain
from ramax.core.guard import Guard
from ramax.core.rewind import Known, rewound
from ramax.core.space_write import SpaceWrite
from ramax.core.state import End, Packed, Source, SpaceState
from ramax.core.sync.record import DISCARDED
from ramax.runtime.anew import Anew
from ramax.runtime.page_fold import fold_rows
from ramax.storage.backend import write_plan
from ramax.storage.canonical import numbered, read_entity_in_order, read_late_stamp
from ramax.storage.canonical_snapshots import drop_canonical_from
from ramax.storage.events import applied_events
from ramax.storage.executors import Executor, Row
from ramax.storage.links import index_rows
from ramax.storage.plan import WritePlan
from ramax.storage.reads import StoredSource
from ramax.storage.records import read_ids_of
from ramax.storage.runs import read_late
from ramax.storage.spaces import domains_row
from ramax.storage.text_index import search_rows
from ramax.values import Space

_MEMORY = 64 << 20
"""Bytes of a pstate that is folded anew under the lock; the rest goes to a temporary file."""

_PAGE = 500
"""Events that are folded at once there, at least: what lacks may be a single one."""

_MANY = 1000
"""From so many entities on, folding all of the space costs less."""

_IN_MEMORY = 100_000
"""Events that are read again to merge late ones; beyond that all of the space is folded, by pages.
"""

_SEQUENCE, _ENTITY, _TYPE = 2, 3, 4


Histories = Mapping[str, Sequence[Row]]
"""All events of some entities."""


class FoldAllError(Exception):
    """All of the space is to be folded anew, which takes long: not under the lock."""


@dataclass(frozen=True, slots=True)
class Gap:
    """The events that a pstate lacks, under the space's lock."""

    ex: Executor
    space: Space
    domain: Domain
    guard: Guard
    now: int
    beside: Anew | None = None
    """What a fold of all of the space goes on from: begun beside live writes, or not begun yet."""

    came: set[int] = field(default_factory=set)
    """The late ones among those that `late` was asked about, whatever they are."""

    def late(self, rows: Sequence[Row]) -> set[int]:
        """Return the sequences of those of the next events that came too late for others."""
        if self.guard.replica is None:
            return set()
        after, upto = self.guard.checkpoint, rows[-1][_SEQUENCE]
        late = {*read_late(self.ex, self.space.space_id, after=after, upto=upto)}
        self.came.update(late)
        if not after:  # what was folded before is to be folded anew, whatever it was
            return late
        late = {row[_SEQUENCE] for row in rows if row[_SEQUENCE] in late and self._matters(row)}
        return late | self._taken_back(rows)

    def _matters(self, row: Row) -> bool:
        event_type: str = row[_TYPE]
        return event_type.startswith(OWN_TYPES) or not self.domain.folds_in_any_order(event_type)

    def _taken_back(self, rows: Sequence[Row]) -> set[int]:
        """Return the sequences of events by which one that may be folded already is left out."""
        said = [row for row in rows if row[_TYPE] == DISCARDED]
        about = {row[_SEQUENCE]: bytes.fromhex(REPLICA.own_name(row[_ENTITY])) for row in said}
        here = read_ids_of(self.ex, self.space.space_id, list(about.values())) if about else {}
        return {sequence for sequence, uid in about.items() if uid in here}

    def as_folded(self, rows: Sequence[Row]) -> Sequence[Row]:
        """Number events as applicators see them: by their stamps in a replicated space."""
        if self.guard.replica is None:
            return rows
        return numbered(self.ex, self.space.space_id, rows)

    def fold_late(self, rows: Sequence[Row], late: set[int]) -> int:
        """Fold the next events, late ones among them; return how many.

        Raises:
            FoldAllError: All of the space is to be folded, and `beside` has not begun with it.
        """
        about = _entities([row for row in rows if row[_SEQUENCE] in late])
        if not self.guard.checkpoint:  # what is stored was folded before that was set back
            about = None
        histories = None if about is None else self._histories(about, rows[-1][_SEQUENCE])
        if about is None or histories is None:
            return self._fold_all(len(rows))
        again = [row for row in self.as_folded(rows) if not _is_own(row, about)]
        changes: dict[str, bytes | None] = {}
        keys: set[str] = set()
        for entity, datatype in about.items():
            if datatype.alone:
                changes |= self._rewound(datatype, histories[entity])
            else:
                again += map(_by_stamp, histories[entity])
                keys.update(datatype.keys_of(entity) or ())
        source = _Without(StoredSource(self.ex, self.space.space_id), keys)
        state = fold_rows(self.domain, source, again, self.space, self.guard.indexed)
        for key in keys:  # they may be stored, whatever the fold was told
            state.known.pop(key, None)
            state.written.setdefault(key, None)
        state.written.update(changes)
        self.write(state, rows[-1], self.guard.domains)
        return len(rows)

    def _histories(
        self, about: Mapping[str, DataType], upto: int
    ) -> Mapping[str, Sequence[Row]] | None:
        """Read all events of some entities; None where these are too many to be in memory."""
        found: dict[str, Sequence[Row]] = {}
        left = _IN_MEMORY
        for entity in sorted(about):
            read, space_id = read_entity_in_order, self.space.space_id
            rows = read(self.ex, space_id, entity, upto=upto, limit=left + 1)
            left -= len(rows)
            if left < 0:
                return None
            found[entity] = [row for row in rows if _is_own(row, about)]
        return found

    def _rewound(self, datatype: DataType, history: Sequence[Row]) -> dict[str, bytes | None]:
        """Return what changes by the events that are not folded yet, with all that follow them."""
        space_name, folded_up_to = self.space.space_name, self.guard.checkpoint
        rows = [_by_stamp(row) for row in history]
        events = applied_events(rows, self.domain, space_name)
        known = [
            Known(event, row[_SEQUENCE] <= folded_up_to)
            for row, event in zip(history, events, strict=True)
        ]
        return rewound(datatype, known, space_name)

    def _fold_all(self, page: int) -> int:
        if self.beside is not None and not self.beside.sequence:
            raise FoldAllError
        new = self.beside or Anew(self.domain, self.space, max(page, _PAGE), _MEMORY)
        try:
            while not new.swap(self.ex, self.now):
                if self.beside is not None:
                    raise FoldAllError
        finally:
            if new is not self.beside:
                new.close()
        return new.sequence - self.guard.checkpoint

    def write(self, state: SpaceState, last: Row, names: frozenset[str] | None) -> None:
        """Write what folding events up to the row ``last`` came to."""
        guard, space_id = self.guard, self.space.space_id
        state.keep_index(self.domain.schema)
        puts, deletes = state.changes()
        write = SpaceWrite(
            space_id,
            guard,
            puts=puts,
            deletes=deletes,
            last_timestamp=max(self.now, guard.last_timestamp),
            checkpoint=last[_SEQUENCE],
            checkpoint_event_id=last[0],
            domains=names if names != guard.domains else None,
            version_step=1,
            links=state.links,
            index_lost=state.index != guard.indexed,
        )
        extras = [] if write.domains is None else [domains_row(space_id, write.domains)]
        extras += [*index_rows([write]), *search_rows(self.ex.tables.dialect, [write])]
        write_plan(self.ex, WritePlan([write], b"", self.now, extras))
        if self.came:
            self._drop_canonical(last[_SEQUENCE])

    def _drop_canonical(self, upto: int) -> None:
        """Drop the snapshots that do not know the late ones of these events."""
        ex, space_id = self.ex, self.space.space_id
        first = read_late_stamp(ex, space_id, after=self.guard.checkpoint, upto=upto)
        drop_canonical_from(ex, space_id, first or 0)


def _entities(late: Sequence[Row]) -> Mapping[str, DataType] | None:
    """Return the entities of late events with their types; None if others may depend on them."""
    found: dict[str, DataType] = {}
    for row in late:
        event_type, entity = row[_TYPE], row[_ENTITY]
        if not event_type.startswith(OWN_TYPES) or len(found) > _MANY:
            return None
        datatype = find_type(event_type)
        if not datatype.alone and datatype.keys_of(entity) is None:
            return None
        found[entity] = datatype
    return found


def _is_own(row: Row, about: Mapping[str, DataType]) -> bool:
    """Say whether an event is of the type of one of these: others may be about them as well."""
    datatype = about.get(row[_ENTITY])
    return datatype is not None and row[_TYPE].startswith(datatype.type(""))


def _by_stamp(row: Row) -> Row:
    """Number an event of `read_entity_in_order` as its applicator sees it."""
    return (*row[:_SEQUENCE], row[-1], *row[_ENTITY:-1])


class _Without:
    """A source in which some keys are not there yet."""

    def __init__(self, source: Source, keys: set[str]) -> None:
        self._source, self._keys = source, keys

    def load(self, key: str) -> Packed | None:
        """See `Source.load`."""
        return None if key in self._keys else self._source.load(key)

    def load_range(self, low: str, high: str) -> Mapping[str, Packed]:
        """See `Source.load_range`."""
        found = self._source.load_range(low, high)
        return {key: value for key, value in found.items() if key not in self._keys}

    def load_nearest(self, low: str, high: str, end: End) -> str | None:
        """See `Source.load_nearest`."""
        found = self.load_range(low, high)  # for commands; what is folded never asks
        return (max if end == "highest" else min)(found, default=None)
