"""Flashcards: decks, cards and their translations; every learner has a space.

    python examples/flashcards.py [database]     a path or URL; default: a new database in memory

Shows domains combined, entities declared, references both ways, commands that answer with several
events, several commands as one, and a read model of an older version that is migrated when it is
read.
"""

import argparse
import asyncio
from collections.abc import Callable, Mapping, MutableMapping
from typing import Any

import ramax
from ramax import (
    ContentStore,
    Database,
    Domain,
    Event,
    NewEvent,
    Ref,
    Rejected,
    create_linked,
    field,
)

State = MutableMapping[str, Any]


def refs_to(entity: str) -> Callable[[Any], dict[str, Ref]]:
    """Make the migration of a collection: version 1 stored a list of ids."""
    return lambda ids: {each: Ref(entity, each) for each in ids or []}


# -- The domain of decks --------------------------------------------------------------------------

decks = Domain("decks", entity_id=lambda payload: f"deck:{payload['deck_id']}")


@decks.entity("deck")
class Deck:
    """A deck; its cards are in the order in which they came."""

    name: str
    cards: dict[str, Ref["card"]] = field(migrate=refs_to("card"))


class DeckExists(Rejected):
    """There is a deck of that id."""


class DeckNotFound(Rejected):
    """There is no deck of that id."""


def create_deck(state: Mapping[str, Any], params: Mapping[str, Any]) -> list[NewEvent]:
    """Create an empty deck; ``deck_id``, ``name``."""
    if f"deck:{params['deck_id']}" in state:
        raise DeckExists(params["deck_id"])
    return [NewEvent("deck.created", params)]


@decks.applicator("deck.created")
def deck_created(state: State, event: Event) -> None:
    """Keep the name; its cards will enter themselves."""
    state[event.entity_id] = {"name": event.payload["name"], "cards": {}}


# -- The domain of cards --------------------------------------------------------------------------

cards = Domain("cards", entity_id=lambda payload: f"card:{payload['card_id']}")


@cards.entity("card")
class Card:
    """A card, with references up to its deck and down to its translations."""

    front: str
    back: str
    deck: Ref["deck"] = field(replaces="deck_id", migrate=lambda old: Ref("deck", old), index=True)
    translations: dict[str, Ref["translation"]] = field(migrate=refs_to("translation"))
    level: int = field(default=0, validate=lambda level: level >= 0)


@cards.entity("translation")
class Translation:
    """What one side of a card says in another language."""

    card: Ref["card"] = field(replaces="card_id", migrate=lambda old: Ref("card", old))
    side: str
    language: str
    text: str


class CardExists(Rejected):
    """There is a card of that id."""


class CardNotFound(Rejected):
    """There is no card of that id."""


def create_card(state: Mapping[str, Any], params: Mapping[str, Any]) -> list[NewEvent]:
    """Add a card to a deck; ``card_id``, ``deck_id``, ``front``, ``back``."""
    if f"deck:{params['deck_id']}" not in state:
        raise DeckNotFound(params["deck_id"])
    if f"card:{params['card_id']}" in state:
        raise CardExists(params["card_id"])
    return [NewEvent("card.created", params)]


def update_card(state: Mapping[str, Any], params: Mapping[str, Any]) -> list[NewEvent]:
    """Change a card; ``card_id``, ``front``, ``back``.

    A text of the same length is taken for a mended typing error; one of another length says
    something else, and then the translations of that side no longer hold: a second event.
    """
    card = state.get(f"card:{params['card_id']}")
    if card is None:
        raise CardNotFound(params["card_id"])
    events = [NewEvent("card.updated", params)]
    stale = [side for side in ("front", "back") if len(card[side]) != len(params[side])]
    if stale:
        payload = {"card_id": params["card_id"], "sides": stale}
        events.append(NewEvent("card.translations.invalidated", payload))
    return events


def add_translation(state: Mapping[str, Any], params: Mapping[str, Any]) -> list[NewEvent]:
    """Translate one side of a card; ``card_id``, ``side``, ``language``, ``text``."""
    if f"card:{params['card_id']}" not in state:
        raise CardNotFound(params["card_id"])
    return [NewEvent("card.translation.added", params)]


@cards.applicator("card.created")
def card_created(state: State, event: Event) -> None:
    """Keep the card, and enter it in its deck: one event may change several keys."""
    card = {"front": event.payload["front"], "back": event.payload["back"], "translations": {}}
    deck = f"deck:{event.payload['deck_id']}"
    create_linked(state, event.entity_id, card, parent=deck, collection="cards")


@cards.applicator("card.updated")
def card_updated(state: State, event: Event) -> None:
    """Change both sides."""
    state[event.entity_id].update(front=event.payload["front"], back=event.payload["back"])


@cards.applicator("card.translations.invalidated")
def translations_invalidated(state: State, event: Event) -> None:
    """Forget the translations of the sides that say something else now."""
    translations = state[event.entity_id]["translations"]
    for translation_id, ref in list(translations.items()):
        if state[ref.key]["side"] in event.payload["sides"]:
            del translations[translation_id], state[ref.key]


@cards.applicator("card.translation.added")
def translation_added(state: State, event: Event) -> None:
    """Keep the newest translation of each side and language."""
    card_id, side, language = (event.payload[name] for name in ("card_id", "side", "language"))
    create_linked(
        state,
        f"translation:{card_id}-{side}-{language}",
        {"side": side, "language": language, "text": event.payload["text"]},
        parent=event.entity_id,
        collection="translations",
    )


flashcards = Domain.combine(decks, cards)

# -- The application ------------------------------------------------------------------------------


async def open_learner(db: Database, name: str) -> ContentStore:
    """Open the space of a learner."""
    return await db.content_store(f"flashcards_{name}", flashcards)


async def import_deck(
    learner: ContentStore, deck_id: str, name: str, pairs: Mapping[str, tuple[str, str]]
) -> None:
    """Create a deck with its cards, all or nothing; ``pairs`` maps card ids to front and back."""
    new_cards = [
        {"card_id": card_id, "deck_id": deck_id, "front": front, "back": back}
        for card_id, (front, back) in pairs.items()
    ]
    await learner.execute_many(
        [
            (create_deck, {"deck_id": deck_id, "name": name}),
            *((create_card, card) for card in new_cards),
        ]
    )


async def list_deck_cards(learner: ContentStore, deck_id: str) -> list[dict[str, Any]]:
    """Return the cards of a deck in order, with their translations: a read for each level.

    Raises:
        KeyNotFoundError: There is no such deck.
    """
    deck = await learner.pstate.get_resolved(f"deck:{deck_id}")
    return list(deck["cards"].values())


async def name_of_deck(learner: ContentStore, card_id: str) -> str | None:
    """Return the name of the deck that a card is in: the reference up, followed."""
    name: str | None = await learner.pstate.get_path(f"card:{card_id}", "deck.name", follow=True)
    return name


async def cards_that_name(learner: ContentStore, deck_id: str) -> list[str]:
    """Return the keys of the cards that refer to a deck, by the index and without the deck."""
    return [key async for key in learner.pstate.referrers(f"deck:{deck_id}")]


# -- What version 1 stored: ids in lists, no references, and nothing declared ----------------------

decks_1 = Domain("decks", entity_id=lambda payload: f"deck:{payload['deck_id']}")
cards_1 = Domain("cards", entity_id=lambda payload: f"card:{payload['card_id']}")


@decks_1.applicator("deck.created")
def deck_created_1(state: State, event: Event) -> None:
    """Keep the name, and the ids of the cards."""
    state[event.entity_id] = {"name": event.payload["name"], "cards": []}


@cards_1.applicator("card.created")
def card_created_1(state: State, event: Event) -> None:
    """Keep the card with the id of its deck."""
    card_id, deck_id, front, back = (
        event.payload[name] for name in ("card_id", "deck_id", "front", "back")
    )
    state[event.entity_id] = {
        "front": front,
        "back": back,
        "deck_id": deck_id,
        "translations": [],
    }
    state[f"deck:{deck_id}"]["cards"].append(card_id)


@cards_1.applicator("card.translation.added")
def translation_added_1(state: State, event: Event) -> None:
    """Keep the translation with the id of its card."""
    names = ("card_id", "side", "language", "text")
    translation = {name: event.payload[name] for name in names}
    translation_id = "-".join(translation[name] for name in names[:3])
    state[f"translation:{translation_id}"] = translation
    ids = state[event.entity_id]["translations"]
    if translation_id not in ids:
        ids.append(translation_id)


flashcards_1 = Domain.combine(decks_1, cards_1)

# -- The demonstration ----------------------------------------------------------------------------

ANIMALS = {"a1": ("perro", "dog"), "a2": ("gato", "cat")}
HUND = {"card_id": "a1", "side": "front", "language": "de", "text": "Hund"}


async def show_deck(learner: ContentStore) -> None:
    """Print the cards of the deck of animals."""
    for card in await list_deck_cards(learner, "animals"):
        texts = {each["language"]: each["text"] for each in card["translations"].values()}
        print(f"   {card['front']:<8} {card['back']:<6} {texts}")


async def show_version_1(db: Database) -> None:
    """Print what becomes of a learner whose read model is of version 1."""
    if not await db.spaces.exists("flashcards_cleo"):
        before = await db.content_store("flashcards_cleo", flashcards_1)
        await import_deck(before, "animals", "Animales", ANIMALS)
        await before.execute(add_translation, HUND)

    print("\nCleo's cards are as version 1 has stored them:")
    print(f"   {await db.pstate.get('flashcards_cleo', 'card:a1')}")
    cleo = await open_learner(db, "cleo")
    print("Today's version reads them as:")
    print(f"   {await cleo.pstate.fetch('card:a1')}")
    await show_deck(cleo)
    dry = await cleo.migrate_pstate(dry_run=True)
    done = await cleo.migrate_pstate()
    print(f"   {dry.outdated} values to migrate, loses data: {dry.loses_data}; {done.written} done")


async def demonstrate(database: str | None) -> None:
    """Import a deck for two learners, work on the cards of one, and meet a third, older one."""
    async with ramax.connect(database) as db:
        ana, ben = await open_learner(db, "ana"), await open_learner(db, "ben")
        for learner in (ana, ben):
            try:
                await import_deck(learner, "animals", "Animales", ANIMALS)
            except DeckExists:
                print(f"{learner.space.space_name} has the deck already, nothing was imported.")

        print("Ana translates a card:")
        await ana.execute(add_translation, HUND)
        await show_deck(ana)

        print("\nShe changes it; the translation is for the old text:")
        puppy = {"card_id": "a1", "front": "perrito", "back": "puppy"}
        commit = await ana.execute(update_card, puppy)
        print(f"   events: {', '.join(event.event_type for event in commit.events)}")
        await show_deck(ana)

        print("\nReferences lead both ways:")
        print(f"   a2 is in the deck {await name_of_deck(ana, 'a2')}")
        print(f"   of the deck animals are {', '.join(await cards_that_name(ana, 'animals'))}")

        print("\nBen's deck is another one:")
        await show_deck(ben)

        await show_version_1(db)
        print(f"\nEvents in all spaces: {await db.events.get_latest_event_id()}")


def main() -> None:
    """Run the demonstration on the database that the command line names."""
    parser = argparse.ArgumentParser(description="Flashcards of three learners.")
    parser.add_argument("database", nargs="?", help="a path or URL; default: in memory")
    asyncio.run(demonstrate(parser.parse_args().database))


if __name__ == "__main__":
    main()
