"""Entities that refer to each other, with an index, and who refers to whom by looking at everything."""

from typing import Annotated, Any

from ramax import ContentStore, Domain, Ref, field
from tests._cards import old_cards


class Card:
    deck: Annotated[Ref, "deck"] | None = field(default=None, index=True)
    also: list[Any] = field(default_factory=list, index=True)
    other: Ref | None = None


class Deck:
    cover: Ref | None = field(default=None, index=True)


def linked(name: str = "cards", **entities: type) -> Domain:
    """As `old_cards`, with what is declared above, or something else."""
    domain = old_cards(name)
    for kind, cls in (entities or {"card": Card, "deck": Deck}).items():
        domain.entity(kind)(cls)
    return domain


FIELDS = {"card": ("deck", "also"), "deck": ("cover",)}


async def everywhere(store: ContentStore) -> dict[str, dict[str, set[str]]]:
    """Target to source to fields, found by reading every value."""
    found: dict[str, dict[str, set[str]]] = {}
    async for key, value in store.pstate.scan():
        for name in FIELDS.get(key.partition(":")[0], ()):
            for ref in references(value.get(name)):
                found.setdefault(ref.key, {}).setdefault(key, set()).add(name)
    return found


def references(value: Any) -> list[Ref]:
    if isinstance(value, Ref):
        return [value]
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [ref for each in items for ref in references(each)]


async def asked(store: ContentStore, key: str, **options: Any) -> list[str]:
    return [each async for each in store.pstate.referrers(key, **options)]


async def check(store: ContentStore, targets: list[str]) -> None:
    """Ask the index of every target, and compare with what is everywhere."""
    wanted = await everywhere(store)
    for target in targets:
        sources = wanted.get(target, {})
        assert await asked(store, target) == sorted(sources)
        for name in ("deck", "also", "cover"):
            having = sorted(key for key, fields in sources.items() if name in fields)
            assert await asked(store, target, field=name) == having
        assert await asked(store, target, entity="card") == sorted(
            key for key in sources if key.startswith("card:")
        )
