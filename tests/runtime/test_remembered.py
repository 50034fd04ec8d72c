"""What is remembered is not read again, and what is not is read, or named where it cannot be."""

import pytest

import ramax
from ramax.core.codec import encode
from ramax.core.state import KeysMissingError
from ramax.runtime.remembered import Remembered, RememberedOnly
from tests._domains import add, counter

ONE = encode(1, "one")


async def test_only_what_is_not_remembered_comes_from_the_database():
    async with ramax.connect() as db:
        store = await db.content_store("acme", counter())
        await store.execute(add)
        space_id = store.space.space_id

        def read(known):
            return db._core.read(lambda ex: Remembered(ex, space_id, known).load("n"))

        assert await read({}) == ONE
        assert await read({"n": b"remembered"}) == b"remembered"
        assert await read({"n": None}) is None  # known to be absent


def test_memory_alone_names_what_it_does_not_know():
    source = RememberedOnly({"there": ONE, "absent": None})
    assert (source.load("there"), source.load("absent")) == (ONE, None)
    for key in ("x", "y", "x"):
        with pytest.raises(KeysMissingError) as caught:
            source.load(key)
        assert caught.value.keys == (key,)
    assert list(source.missing) == ["x", "y"]


def test_memory_alone_knows_no_range():
    source = RememberedOnly({"a": ONE})
    with pytest.raises(KeysMissingError):
        source.load_range("a", "b")
    with pytest.raises(KeysMissingError):
        source.load_nearest("a", "b", "lowest")
    assert not source.missing
