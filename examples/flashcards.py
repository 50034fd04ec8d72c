"""Flashcards: decks, cards and their translations; every learner has a space.

    python examples/flashcards.py [database]     a path or URL; default: a new database in memory

Shows two domains combined, commands that answer with several events, and several commands as one.
"""

import argparse
import asyncio
from collections.abc import Mapping, MutableMapping
from typing import Any

import ramax
from ramax import ContentStore, Database, Domain, Event, NewEvent, Rejected

# -- The domain of decks --------------------------------------------------------------------------

decks = Domain("decks", entity_id=lambda payload: f"deck:{payload['deck_id']}")


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
def deck_created(state: MutableMapping[str, Any], event: Event) -> None:
    """Keep the name, and the keys of the cards in their order."""
    state[event.entity_id] = {"name": event.payload["name"], "cards": []}


# -- The domain of cards --------------------------------------------------------------------------

cards = Domain("cards", entity_id=lambda payload: f"card:{payload['card_id']}")


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
def card_created(state: MutableMapping[str, Any], event: Event) -> None:
    """Keep the card, and its key in the deck: one event may change several keys."""
    deck_id, front, back = (event.payload[name] for name in ("deck_id", "front", "back"))
    state[event.entity_id] = {
        "front": front,
        "back": back,
        "translations": {"front": {}, "back": {}},
    }
    state[f"deck:{deck_id}"]["cards"].append(event.entity_id)


@cards.applicator("card.updated")
def card_updated(state: MutableMapping[str, Any], event: Event) -> None:
    """Change both sides."""
    state[event.entity_id].update(front=event.payload["front"], back=event.payload["back"])


@cards.applicator("card.translations.invalidated")
def translations_invalidated(state: MutableMapping[str, Any], event: Event) -> None:
    """Forget the translations of the sides that say something else now."""
    for side in event.payload["sides"]:
        state[event.entity_id]["translations"][side].clear()


@cards.applicator("card.translation.added")
def translation_added(state: MutableMapping[str, Any], event: Event) -> None:
    """Keep the newest translation of each side and language."""
    side, language, text = (event.payload[name] for name in ("side", "language", "text"))
    state[event.entity_id]["translations"][side][language] = text


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
    """Return the cards of a deck in order: one read for the deck, one for all its cards.

    Raises:
        KeyNotFoundError: There is no such deck.
    """
    deck = await learner.pstate.fetch(f"deck:{deck_id}")
    return list((await learner.pstate.get_many(deck["cards"])).values())


# -- The demonstration ----------------------------------------------------------------------------

ANIMALS = {"a1": ("perro", "dog"), "a2": ("gato", "cat")}


async def show_deck(learner: ContentStore) -> None:
    """Print the cards of the deck of animals."""
    for card in await list_deck_cards(learner, "animals"):
        print(f"   {card['front']:<8} {card['back']:<6} {card['translations']['front']}")


async def demonstrate(database: str | None) -> None:
    """Import a deck for two learners and work on the cards of one."""
    async with ramax.connect(database) as db:
        ana, ben = await open_learner(db, "ana"), await open_learner(db, "ben")
        for learner in (ana, ben):
            try:
                await import_deck(learner, "animals", "Animales", ANIMALS)
            except DeckExists:
                print(f"{learner.space.space_name} has the deck already, nothing was imported.")

        print("Ana translates a card:")
        german = {"card_id": "a1", "side": "front", "language": "de", "text": "Hund"}
        await ana.execute(add_translation, german)
        await show_deck(ana)

        print("\nShe changes it; the translation is for the old text:")
        puppy = {"card_id": "a1", "front": "perrito", "back": "puppy"}
        commit = await ana.execute(update_card, puppy)
        print(f"   events: {', '.join(event.event_type for event in commit.events)}")
        await show_deck(ana)

        print("\nBen's deck is another one:")
        await show_deck(ben)
        print(f"\nEvents in all spaces: {await db.events.get_latest_event_id()}")


def main() -> None:
    """Run the demonstration on the database that the command line names."""
    parser = argparse.ArgumentParser(description="Flashcards of two learners.")
    parser.add_argument("database", nargs="?", help="a path or URL; default: in memory")
    asyncio.run(demonstrate(parser.parse_args().database))


if __name__ == "__main__":
    main()
