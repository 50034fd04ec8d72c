"""A query for events: by type, by entity, by tag; the same in the database and in memory."""

from collections.abc import Collection, Iterable
from typing import Any, Final, NamedTuple

from ramax.core.limits import check_entity_id, check_name
from ramax.core.tags import checked_tags
from ramax.errors import DataError

MAX_SEARCHES: Final = 100
"""Searches of the log that one query may take: its parts, each once for each of its entities."""


class Search(NamedTuple):
    """One way through the log: events of one of ``types``, of ``entity_id``, with all ``tags``.

    What is empty, or None, does not count. A search for events of one origin has nothing else.
    """

    types: tuple[str, ...] = ()
    entity_id: str | None = None
    tags: tuple[str, ...] = ()
    causation_id: int | None = None
    correlation_id: str | None = None

    def matches(self, event_type: str, entity_id: str, tags: Collection[str]) -> bool:
        """Whether an event of that type, entity and tags is among those that are searched for."""
        return (
            (not self.types or event_type in self.types)
            and (self.entity_id is None or entity_id == self.entity_id)
            and all(tag in tags for tag in self.tags)
        )


class Query:
    """Which events: of one of these types, of one of these entities, with all of these tags.

    What is left out does not count, so ``Query()`` is every event. ``one | other`` is what either
    asks for. Types, entities and tags are those that are stored.

    Args:
        types: Event types; one of them.
        entities: Entity ids; one of them.
        tags: Tags; all of them.

    Raises:
        DataError: A value breaks a rule, or there is more to search than a query may.
    """

    __slots__ = ("searches",)
    searches: tuple[Search, ...]

    def __init__(
        self, types: Iterable[str] = (), entities: Iterable[str] = (), tags: Iterable[str] = ()
    ) -> None:
        found_types = _each_once(types, "types of a query")
        found_entities = _each_once(entities, "entities of a query")
        for name in found_types:
            check_name(name, "event type")
        for entity in found_entities:
            check_entity_id(entity, "entity id")
        found_tags = tuple(checked_tags(tags, "tags of a query"))
        self._become(
            Search(found_types, entity, found_tags) for entity in found_entities or (None,)
        )

    def __or__(self, other: "Query") -> "Query":
        if not isinstance(other, Query):
            return NotImplemented
        made = Query.__new__(Query)
        made._become((*self.searches, *other.searches))
        return made

    def _become(self, searches: Iterable[Search]) -> None:
        found = tuple(dict.fromkeys(searches))
        if len(found) > MAX_SEARCHES:
            raise DataError("query", len(found), f"searches more than {MAX_SEARCHES} times")
        object.__setattr__(self, "searches", found)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"a query is immutable, cannot set {name}")

    def __eq__(self, other: object) -> bool:
        return self.searches == other.searches if isinstance(other, Query) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.searches)

    def __reduce__(self) -> tuple[Any, ...]:
        return _restored, (self.searches,)

    def __repr__(self) -> str:
        return " | ".join(map(_shown, self.searches))

    def matches(self, event_type: str, entity_id: str, tags: Collection[str]) -> bool:
        """Whether an event is among those that are asked for."""
        return any(search.matches(event_type, entity_id, tags) for search in self.searches)


def _restored(searches: tuple[Search, ...]) -> Query:
    made = Query.__new__(Query)
    object.__setattr__(made, "searches", searches)
    return made


def _shown(search: Search) -> str:
    parts = {
        "types": list(search.types),
        "entities": [] if search.entity_id is None else [search.entity_id],
        "tags": list(search.tags),
    }
    return f"Query({', '.join(f'{name}={value!r}' for name, value in parts.items() if value)})"


def _each_once(values: Any, what: str) -> tuple[str, ...]:
    if isinstance(values, (str, bytes)) or not isinstance(values, Iterable):
        raise DataError(what, values, "must be a list of str")
    found = list(values)
    if not all(type(value) is str for value in found):
        raise DataError(what, found, "must be a list of str")
    return tuple(sorted(set(found)))
