"""How two branches differ: keys, and the events of each that the other does not know."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from ramax.core.datatypes import log, text, vectors, versioned
from ramax.core.datatypes.cells import CELLS
from ramax.core.datatypes.json import JSON
from ramax.core.datatypes.json_value import MISSING
from ramax.core.datatypes.kv import KV
from ramax.core.datatypes.log import LOG
from ramax.core.datatypes.text import TEXT
from ramax.core.datatypes.tree import TREE
from ramax.core.datatypes.vectors import VECTORS
from ramax.core.equality import same_value
from ramax.core.keys import OWN
from ramax.core.merging.things import Thing

PSTATE: Final = "pstate"
Kind = Literal["added", "removed", "changed"]

_VERSIONED: Final = {each.prefix + versioned.LIVE: each.name for each in (CELLS, JSON)}
_VECTORS: Final = VECTORS.prefix + "v/"
_COLLECTIONS: Final = VECTORS.prefix + vectors.COLLECTIONS
_NODES: Final = TREE.prefix + "n/"
_PROPERTIES: Final = TREE.prefix + "p/"
_TEXT: Final = text.head_key("")
_PLAIN: Final = {_NODES: "tree", _VECTORS: "vectors", _COLLECTIONS: "vectors"}
_ENTRIES: Final = LOG.prefix + log.ENTRIES


@dataclass(frozen=True, slots=True)
class KeyChange:
    """A key that differs from the first branch to the second.

    ``type`` is ``pstate`` for a key of the application, else the data type. ``old`` and ``new``
    are None where there is none, and where values were not asked for.
    """

    type: str
    key: str
    kind: Kind
    old: Any = field(default=None, hash=False)
    new: Any = field(default=None, hash=False)


@dataclass(frozen=True, slots=True)
class SideEvents:
    """The events of one side that the other does not know: how many, of what type, about what.

    ``by_type`` counts by ``entity`` and the data types, ``by_entity`` by the name of each thing.
    """

    count: int = 0
    by_type: Mapping[str, int] = field(default_factory=dict, hash=False)
    by_entity: Mapping[str, int] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True)
class SpaceDiff:
    """How a space differs from the first branch to the second.

    ``behind`` names the branches whose read model lacks events, because no domain was given that
    folds them: their keys are compared as they are.
    """

    space: str
    keys: tuple[KeyChange, ...] = ()
    left: SideEvents = SideEvents()
    right: SideEvents = SideEvents()
    behind: tuple[str, ...] = ()

    @property
    def same(self) -> bool:
        """Whether there is no difference."""
        return not (self.keys or self.left.count or self.right.count)


@dataclass(frozen=True, slots=True)
class BranchDiff:
    """How two branches differ, space by space, in the order of their ids.

    ``only_left`` and ``only_right`` are names of spaces that one has alone; ``unchanged`` is how
    many both have that do not differ, whether or not they are among ``spaces``.
    """

    left: str
    right: str
    spaces: tuple[SpaceDiff, ...] = ()
    only_left: tuple[str, ...] = ()
    only_right: tuple[str, ...] = ()
    unchanged: int = 0

    @property
    def same(self) -> bool:
        """Whether there is no difference."""
        return not (self.only_left or self.only_right or any(not s.same for s in self.spaces))


def counted(things: Iterable[Thing]) -> SideEvents:
    """Count events by what they are about."""
    by_type: dict[str, int] = {}
    by_entity: dict[str, int] = {}
    count = 0
    for thing in things:
        name = thing.name if thing.part is None else f"{thing.name}/{thing.part}"
        by_type[thing.type] = by_type.get(thing.type, 0) + 1
        by_entity[name] = by_entity.get(name, 0) + 1
        count += 1
    return SideEvents(count, by_type, by_entity)


def shown_key(key: str) -> tuple[str, str] | None:
    """Return the type and name of what is stored under a key; None for what only ramax needs."""
    if not key.startswith(OWN):
        return PSTATE, key
    if key.startswith(KV.prefix):
        return "kv", key[len(KV.prefix) :]
    for prefix, name in _VERSIONED.items():
        if key.startswith(prefix):
            return name.partition(".")[2], key[len(prefix) :]
    if key.startswith(_ENTRIES):
        return "log", str(int(key[len(_ENTRIES) :], 16))
    if key.startswith(_PROPERTIES):
        return "tree", f"{key[len(_PROPERTIES) :]}/properties"
    if key.startswith(TEXT.prefix) and key.endswith(_TEXT):
        return "text", key[len(TEXT.prefix) : -len(_TEXT)]
    for prefix, name in _PLAIN.items():
        if key.startswith(prefix):
            return name, key[len(prefix) :]
    return None


def shown_value(key: str, stored: Any) -> Any:
    """Return what a stored value means: without what counts versions and changes."""
    if stored is MISSING:
        return MISSING
    if any(key.startswith(prefix) for prefix in _VERSIONED):
        return stored[1]
    if key.startswith(_ENTRIES):
        return stored[:2]  # type and payload; a copy has a time and a hash of its own
    if key.startswith(_COLLECTIONS):
        return stored[:2]  # dimension and metric
    if key.startswith(TEXT.prefix):
        return stored[0].hex()  # what tells the same edits; how they are packed says nothing
    return stored


def changes(stored: Iterable[tuple[str, Any, Any]], *, values: bool) -> Iterator[KeyChange]:
    """Make changes of keys and what either side has there, `MISSING` for nothing.

    Args:
        values: Off: what only one side has is not looked at, and may be anything.
    """
    for key, left, right in stored:
        named = shown_key(key)
        if named is None or (left is MISSING and right is MISSING):
            continue
        kind: Kind = "changed"
        if left is MISSING or right is MISSING:
            kind = "added" if left is MISSING else "removed"
            if not values:
                yield KeyChange(*named, kind)
                continue
        old, new = shown_value(key, left), shown_value(key, right)
        if not same_value(old, new):
            yield KeyChange(*named, kind, *map(_given, (old, new) if values else (None, None)))


def _given(value: Any) -> Any:
    return None if value is MISSING else value
