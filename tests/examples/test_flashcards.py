import pytest

from examples.flashcards import (
    CardExists,
    CardNotFound,
    DeckExists,
    DeckNotFound,
    add_translation,
    cards_that_name,
    create_card,
    create_deck,
    flashcards,
    flashcards_1,
    import_deck,
    list_deck_cards,
    name_of_deck,
    open_learner,
    update_card,
)
from ramax import KeyNotFoundError, NewEvent, Ref, SchemaError
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
    state = given(flashcards, *TRANSLATED, *events)
    assert state["card:c1"]["front"] == "Perro"
    assert state["card:c1"]["translations"] == {"c1-front-de": Ref("translation:c1-front-de")}
    assert state["translation:c1-front-de"]["text"] == "Hund"


def test_another_text_invalidates_the_translations_of_its_side():
    events = update_card(
        given(flashcards, *TRANSLATED), {"card_id": "c1", "front": "perrito", "back": "dog"}
    )

    assert [event.event_type for event in events] == [
        "card.updated",
        "card.translations.invalidated",
    ]
    assert events[1].payload["sides"] == ["front"]
    both = [*TRANSLATED, NewEvent("card.translation.added", GERMAN | {"side": "back"})]
    state = given(flashcards, *both, *events)
    assert list(state["card:c1"]["translations"]) == ["c1-back-de"]
    assert "translation:c1-front-de" not in state


async def test_an_imported_deck_has_its_cards_in_order(db):
    ana = await open_learner(db, "ana")

    await import_deck(ana, "d1", "Animales", {"z": ("perro", "dog"), "a": ("gato", "cat")})

    assert [card["front"] for card in await list_deck_cards(ana, "d1")] == ["perro", "gato"]


async def test_references_lead_both_ways(db):
    ana = await open_learner(db, "ana")
    await import_deck(ana, "d1", "Animales", {"z": ("perro", "dog"), "a": ("gato", "cat")})
    await ana.execute(add_translation, GERMAN | {"card_id": "z"})

    [perro, gato] = await list_deck_cards(ana, "d1")
    assert perro["deck"] == Ref("deck:d1")
    assert [each["text"] for each in perro["translations"].values()] == ["Hund"]
    assert gato["translations"] == {}
    assert await name_of_deck(ana, "a") == "Animales"
    assert await cards_that_name(ana, "d1") == ["card:a", "card:z"]


async def test_what_does_not_fit_is_never_stored(db):
    ana = await open_learner(db, "ana")
    await import_deck(ana, "d1", "Animales", {"c1": ("perro", "dog")})
    with pytest.raises(SchemaError, match=r"'front' of card 'card:c1' \[.*\]: must be str"):
        await ana.execute(update_card, {"card_id": "c1", "front": list("perro"), "back": "dog"})


@pytest.mark.parametrize("how", ["on read", "at once", "by a rebuild"])
async def test_what_version_1_stored_is_read_as_today_stores_it(db, how):
    async def fill(store):
        await import_deck(store, "d1", "Animales", {"c1": ("perro", "dog"), "c2": ("gato", "cat")})
        await store.execute(add_translation, GERMAN)

    before = await db.content_store("flashcards_cleo", flashcards_1)
    await fill(before)
    today = await open_learner(db, "dora")
    await fill(today)
    cleo = await open_learner(db, "cleo")
    if how == "at once":
        assert (await cleo.migrate_pstate(dry_run=True)).loses_data is False
        assert (await cleo.migrate_pstate()).written == 4
    if how == "by a rebuild":
        await cleo.rebuild_pstate()

    wanted = {key: value async for key, value in today.pstate.scan()}
    assert {key: value async for key, value in cleo.pstate.scan()} == wanted
    assert await list_deck_cards(cleo, "d1") == await list_deck_cards(today, "d1")
    assert await cards_that_name(cleo, "d1") == ["card:c1", "card:c2"]
    await cleo.execute(update_card, {"card_id": "c1", "front": "perrito", "back": "dog"})
    assert (await list_deck_cards(cleo, "d1"))[0]["translations"] == {}


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
    assert "   of the deck animals are card:a1, card:a2\n" in shown
    assert "'deck_id': 'animals', 'translations': ['a1-front-de']}\nToday's" in shown
    assert "   4 values to migrate, loses data: False; 4 done\n" in shown
    assert shown.endswith("Events in all spaces: 13\n")
    again = run("examples/flashcards.py", durable_url)
    assert "has the deck already" in again
    assert "   0 values to migrate, loses data: False; 0 done\n" in again


def test_the_program_runs_in_memory_by_default():
    assert "Events in all spaces: 13" in run("examples/flashcards.py")
