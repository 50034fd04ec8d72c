import pytest

from examples.flashcards import (
    CardExists,
    CardNotFound,
    DeckExists,
    DeckNotFound,
    add_translation,
    create_card,
    create_deck,
    flashcards,
    import_deck,
    list_deck_cards,
    open_learner,
    update_card,
)
from ramax import KeyNotFoundError, NewEvent
from ramax.testing import given
from tests.examples.program import run

DECK = {"deck_id": "d1", "name": "Animales"}
CARD = {"card_id": "c1", "deck_id": "d1", "front": "perro", "back": "dog"}
GERMAN = {"card_id": "c1", "side": "front", "language": "de", "text": "Hund"}
CREATED = [NewEvent("deck.created", DECK), NewEvent("card.created", CARD)]
TRANSLATED = [*CREATED, NewEvent("card.translation.added", GERMAN)]


def test_decks_and_cards_are_created_once():
    assert [*create_deck({}, DECK), *create_card(given(flashcards, CREATED[0]), CARD)] == CREATED
    with pytest.raises(DeckExists):
        create_deck(given(flashcards, *CREATED), DECK)
    with pytest.raises(CardExists):
        create_card(given(flashcards, *CREATED), CARD)


def test_a_card_needs_a_deck_and_a_translation_needs_a_card():
    with pytest.raises(DeckNotFound):
        create_card({}, CARD)
    with pytest.raises(CardNotFound):
        add_translation({}, GERMAN)
    with pytest.raises(CardNotFound):
        update_card({}, CARD)


def test_a_mended_typing_error_keeps_the_translations():
    state = given(flashcards, *TRANSLATED)

    events = update_card(state, {"card_id": "c1", "front": "Perro", "back": "dog"})

    assert [event.event_type for event in events] == ["card.updated"]
    card = given(flashcards, *TRANSLATED, *events)["card:c1"]
    assert (card["front"], card["translations"]["front"]) == ("Perro", {"de": "Hund"})


def test_another_text_invalidates_the_translations_of_its_side():
    events = update_card(
        given(flashcards, *TRANSLATED), {"card_id": "c1", "front": "perrito", "back": "dog"}
    )

    assert [event.event_type for event in events] == [
        "card.updated",
        "card.translations.invalidated",
    ]
    assert events[1].payload["sides"] == ["front"]
    card = given(flashcards, *TRANSLATED, *events)["card:c1"]
    assert card["translations"] == {"front": {}, "back": {}}


async def test_an_imported_deck_has_its_cards_in_order(db):
    ana = await open_learner(db, "ana")

    await import_deck(ana, "d1", "Animales", {"z": ("perro", "dog"), "a": ("gato", "cat")})

    assert [card["front"] for card in await list_deck_cards(ana, "d1")] == ["perro", "gato"]


async def test_an_import_is_all_or_nothing(db):
    ana = await open_learner(db, "ana")
    await import_deck(ana, "d1", "Animales", {"c1": ("perro", "dog")})

    with pytest.raises(CardExists):
        await import_deck(ana, "d2", "Casa", {"c2": ("mesa", "table"), "c1": ("silla", "chair")})

    with pytest.raises(KeyNotFoundError):
        await list_deck_cards(ana, "d2")
    assert await ana.events.get_space_latest_sequence() == 2


async def test_learners_share_no_deck_and_one_order_of_events(db):
    ana, ben = await open_learner(db, "ana"), await open_learner(db, "ben")
    await import_deck(ana, "d1", "Animales", {"c1": ("perro", "dog")})
    await import_deck(ben, "d1", "Animales", {"c1": ("perro", "dog")})

    await ana.execute(update_card, {"card_id": "c1", "front": "gato", "back": "cat"})

    assert [card["front"] for card in await list_deck_cards(ben, "d1")] == ["perro"]
    # two decks, two cards, one update with the translations that it made void
    assert await db.events.get_latest_event_id() == 6


def test_the_program_runs(durable_url: str):
    shown = run("examples/flashcards.py", durable_url)

    assert "   events: card.updated, card.translations.invalidated\n   perrito  puppy  {}" in shown
    assert shown.endswith("Events in all spaces: 9\n")
    assert "has the deck already" in run("examples/flashcards.py", durable_url)


def test_the_program_runs_in_memory_by_default():
    assert "Events in all spaces: 9" in run("examples/flashcards.py")
