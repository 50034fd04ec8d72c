"""What a migration does to one stored value: which fields change, and which would get lost."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from ramax.core.entity import Entity
from ramax.core.equality import same_value

_EMPTY: tuple[Any, ...] = (None, "", [], {}, (), set(), frozenset())


class Survey(NamedTuple):
    """Names of fields of one value, by what becomes of them.

    ``changed`` are new or have another value. ``lost`` go, and nothing that is declared has read
    them; ``emptied`` held something and would hold nothing. ``unread`` stay as they are stored,
    but nothing that is declared reads them.
    """

    changed: frozenset[str]
    lost: frozenset[str]
    emptied: frozenset[str]
    unread: frozenset[str]


NOTHING = Survey(frozenset(), frozenset(), frozenset(), frozenset())


def survey(entity: Entity, key: str, stored: Any) -> Survey:
    """Bring a value to today's shape, and say what that does to it.

    Raises:
        SchemaError: It does not fit what is declared, or a migration failed.
    """
    seen: set[str] = set()
    new = entity.read(key, stored, lambda value: _Watched(value, seen))
    if type(stored) is not dict:
        return NOTHING
    gone = stored.keys() - new.keys()
    changed = {n for n in new if n not in stored or not same_value(stored[n], new[n])}
    taken = seen | {old for old, name in entity.replaced.items() if name not in stored}
    return Survey(
        frozenset(changed | gone),
        frozenset(gone - taken),
        frozenset(n for n in changed & stored.keys() if _is_empty(new[n]) > _is_empty(stored[n])),
        frozenset(stored.keys() - gone - entity.names - seen),
    )


def _is_empty(value: Any) -> bool:
    return any(type(value) is type(each) and value == each for each in _EMPTY)


class _Watched(dict[str, Any]):
    """A dict that notes which of its fields somebody looks at."""

    def __init__(self, value: dict[str, Any], seen: set[str]) -> None:
        super().__init__(value)
        self._seen = seen

    def __getitem__(self, name: str) -> Any:
        self._seen.add(name)
        return super().__getitem__(name)

    def get(self, name: str, default: Any = None) -> Any:
        self._seen.add(name)
        return super().get(name, default)

    def pop(self, name: str, *default: Any) -> Any:
        self._seen.add(name)
        return super().pop(name, *default)

    def __iter__(self) -> Iterator[str]:
        self._seen.update(self.keys())
        return super().__iter__()

    def items(self) -> Any:
        self._seen.update(self.keys())
        return super().items()

    def values(self) -> Any:
        self._seen.update(self.keys())
        return super().values()
