"""The schema of a domain: which entities are declared, by the type that their keys begin with."""

from collections.abc import Iterator, Mapping
from typing import Any

from ramax.core.entity import Entity, Mode
from ramax.errors import MisuseError


class Schema:
    """Declared entities by type; empty for a domain that declares none.

    Args:
        entities: Entity type, as ``"card"`` for keys like ``card:c1``, to the class of its fields.
        mode: What happens to values that do not fit: refused, logged, or nothing.
    """

    def __init__(self, entities: Mapping[str, type] | None = None, mode: Mode = "strict") -> None:
        self._entities: dict[str, Entity] = {}
        self.declares = False
        """Whether there is any; plain, as every command asks."""
        for name, cls in (entities or {}).items():
            self.add(Entity(name, cls, mode))

    def add(self, entity: Entity) -> None:
        """Declare one more entity.

        Raises:
            MisuseError: Its type is declared already.
        """
        if entity.name in self._entities:
            raise MisuseError(f"entity {entity.name!r} is declared twice")
        self._entities[entity.name] = entity
        self.declares = True

    def __iter__(self) -> Iterator[Entity]:
        return iter(self._entities.values())

    def __repr__(self) -> str:
        return f"Schema({sorted(self._entities)})"

    def entity_of(self, key: str) -> Entity | None:
        """Return what is declared of a key, or None."""
        kind, colon, _ = key.partition(":")
        return self._entities.get(kind) if colon else None

    def read(self, key: str, value: Any) -> Any:
        """Bring a stored value to today's shape; see `Entity.read`."""
        entity = self.entity_of(key)
        return value if entity is None else entity.read(key, value)

    @property
    def index(self) -> str | None:
        """Which fields have an index of their references, as text to compare; None for none."""
        fields = sorted(f"{e.name}:{name}" for e in self for name in e.indexed)
        return ",".join(fields) or None


def covers(index: str, key: str) -> bool:
    """Say whether an index, in the form of `Schema.index`, is about entities like this key."""
    kind, colon, _ = key.partition(":")
    return bool(colon) and f",{kind}:" in f",{index}"


NO_SCHEMA = Schema()
