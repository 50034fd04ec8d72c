"""What the index of a space's texts is asked, on each database."""

from ramax.core.fulltext.tokens import tokens_of
from ramax.storage.text_check import (
    _number,
    _runs,
    has_words,
    not_found_by_words,
    read_documents,
    words_of_nobody,
)
from ramax.storage.text_index import as_stored


def test_long_texts_are_asked_for_in_runs():
    assert list(_runs(["a", "b"])) == ['"a b"']
    assert [run.count("w") for run in _runs(["w"] * 130)] == [64, 64, 2]
    assert list(_runs([])) == []


def test_the_size_of_a_row_is_read_as_sqlite_packs_it():
    assert [_number(each) for each in (b"\x00", b"\x7f", b"\x81\x00", b"\x83\x92\x3c")] == [
        0, 127, 128, 51516
    ]  # fmt: skip


async def test_a_text_is_found_by_its_words_and_by_no_others(db):
    store = await db.content_store("s")
    await db.spaces.enable_search("s")
    texts = {"a": "one two three", "b": "w " * 300, "c": "…"}
    await store.kv.put_many(texts)
    space_id = store.space.space_id

    def ask(ex):
        documents = read_documents(ex, space_id, "", "\x02")
        dialect = ex.tables.dialect
        right = {k: as_stored(dialect, space_id, tokens_of(text)) for k, _, text in documents}
        wrong = {k: as_stored(dialect, space_id, [*tokens_of(t), "x"]) for k, _, t in documents}
        return (
            [not_found_by_words(ex, space_id, "", "\x02", each) for each in (right, wrong)],
            {key for key, _, _ in documents},
            has_words(ex, space_id),
            list(words_of_nobody(ex, space_id, 10)),
        )

    (right, wrong), keys, there, foreign = await db._core.read(ask)
    assert (right, wrong, there, foreign) == (set(), keys, True, [])
    assert len(keys) == 3
