"""Texts by name: what `Database.call`, the command line and tools for agents do with them."""

import pytest

from ramax.errors import DataError


async def test_a_text_is_written_and_read_by_name(db):
    async def ask(what, **given):
        return await db.call({"type": f"text_{what}", "name": "t", **given})

    assert await ask("get") == {"text": ""}
    await ask("append", text="Hello 😀")
    await ask("insert", position=5, text=",")
    await ask("replace", position=0, length=5, text="Bye")
    await ask("delete", position=3, length=1)
    assert await ask("get") == {"text": "Bye 😀"}
    assert (await ask("set", text="Good bye 😀"))["space_sequence"] == 5
    assert await ask("info") == {"length": 10, "pieces": 5, "unreadable": 0}
    with pytest.raises(DataError):
        await ask("insert", position=11, text="x")
