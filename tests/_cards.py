"""Cards as an application has them in two versions: what is stored by the older, and declared today."""

from typing import Annotated, Any

from ramax import Domain, NewEvent, Ref, field

Values = dict[str, Any]


def split_tags(old: Any) -> list[str]:
    """Tags were a text with commas, or not there at all."""
    return [tag for tag in old.split(",") if tag] if isinstance(old, str) else []


def keyed(old: Any) -> dict[str, Ref]:
    """Members were a list of ids."""
    return {each: Ref("card", each) for each in old or []}


class Card:
    front: str
    back: str = ""
    tags: list[str] = field(migrate=split_tags)
    level: int = field(migrate=lambda old: int(old or 0), validate=lambda level: level >= 0)
    deck: Annotated[Ref, "deck"] | None = field(
        migrate=lambda old, card: Ref("deck", card["deck_id"]) if card.get("deck_id") else None
    )


class Deck:
    title: str = field(replaces="name")
    cards: dict[str, Annotated[Ref, "card"]] = field(migrate=keyed)


def cards(mode: Any = "strict", name: str = "cards") -> Domain:
    """Today's version: `set` stores a value under a key, `edit` changes a field, `drop` deletes."""
    domain = old_cards(name)
    domain.entity("card", mode=mode)(Card)
    domain.entity("deck", mode=mode)(Deck)
    return domain


def old_cards(name: str = "cards") -> Domain:
    """The version that knew no schema."""
    domain = Domain(name)

    @domain.applicator("set")
    def put(state: Any, event: Any) -> None:
        state[event.entity_id] = event.payload["value"]

    @domain.applicator("edited")
    def edited(state: Any, event: Any) -> None:
        if event.entity_id in state:
            state[event.entity_id][event.payload["field"]] = event.payload["value"]

    @domain.applicator("dropped")
    def dropped(state: Any, event: Any) -> None:
        state.pop(event.entity_id, None)

    @domain.applicator("looked")
    def looked(state: Any, event: Any) -> None:
        state["looks"] = [state.get("looks", [0])[0] + 1, sorted(state.get(event.entity_id, ()))]

    return domain


def put(state: Any, params: tuple[str, Any]) -> list[NewEvent]:
    return [NewEvent("set", {"value": params[1]}, entity_id=params[0])]


def edit(state: Any, params: tuple[str, str, Any]) -> list[NewEvent]:
    key, name, value = params
    return [NewEvent("edited", {"field": name, "value": value}, entity_id=key)]


def drop(state: Any, key: str) -> list[NewEvent]:
    return [NewEvent("dropped", {}, entity_id=key)]


def look(state: Any, key: str) -> list[NewEvent]:
    return [NewEvent("looked", {}, entity_id=key)]


OLD: Values = {
    "card:1": {"front": "perro", "back": "dog", "tags": "animal,pet", "level": "3", "deck_id": "d"},
    "card:2": {"front": "gato", "tags": None},
    "deck:d": {"name": "Animals", "cards": ["1", "2"], "note": "mine"},
    "other": {"tags": "untouched"},
}
"""What the older version stored."""

NEW: Values = {
    "card:1": {
        "front": "perro",
        "back": "dog",
        "tags": ["animal", "pet"],
        "level": 3,
        "deck_id": "d",
        "deck": Ref("deck:d"),
    },
    "card:2": {"front": "gato", "back": "", "tags": [], "level": 0, "deck": None},
    "deck:d": {
        "title": "Animals",
        "cards": {"1": Ref("card:1"), "2": Ref("card:2")},
        "note": "mine",
    },
    "other": {"tags": "untouched"},
}
"""What readers see of it today."""

today = cards()
"""For the command line, which finds a domain by its name."""
