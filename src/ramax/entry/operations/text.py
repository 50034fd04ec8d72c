"""Operations on texts that several people edit at once."""

from typing import Any, Final

from ramax.entry.operations.answer import INT, WROTE
from ramax.entry.operations.answer import TEXT as STRING
from ramax.entry.operations.operation import Document, Operation, Parameter, wrote

_NAME: Final = Parameter("name", "text", "The name of the text, 1 to 128 bytes.")
_POSITION: Final = Parameter("position", "int", "Letters before it; 0 is the beginning.")
_LENGTH: Final = Parameter("length", "int", "How many letters.")
_TEXT: Final = Parameter("text", "text", "The letters.")


async def _get(s: Any, name: str) -> Document:
    return {"text": await s.text(name).get()}


async def _insert(s: Any, name: str, position: int, text: str, **options: Any) -> Document:
    return wrote(await s.text(name).insert(position, text, **options))


async def _append(s: Any, name: str, text: str, **options: Any) -> Document:
    return wrote(await s.text(name).append(text, **options))


async def _delete(s: Any, name: str, position: int, length: int, **options: Any) -> Document:
    return wrote(await s.text(name).delete(position, length, **options))


async def _replace(
    s: Any, name: str, position: int, length: int, text: str, **options: Any
) -> Document:
    return wrote(await s.text(name).replace(position, length, text, **options))


async def _set(s: Any, name: str, text: str, **options: Any) -> Document:
    return wrote(await s.text(name).set(text, **options))


async def _info(s: Any, name: str) -> Document:
    found = await s.text(name).info()
    return {"length": found.length, "pieces": found.pieces, "unreadable": found.unreadable}


TEXT: Final = (
    Operation("text_get", "Return a text.", (_NAME,), _get, {"text": STRING}),
    Operation(
        "text_insert",
        "Insert letters into a text.",
        (_NAME, _POSITION, _TEXT),
        _insert,
        WROTE,
        writes=True,
    ),
    Operation(
        "text_append", "Add letters at the end.", (_NAME, _TEXT), _append, WROTE, writes=True
    ),
    Operation(
        "text_delete",
        "Delete letters of a text.",
        (_NAME, _POSITION, _LENGTH),
        _delete,
        WROTE,
        writes=True,
    ),
    Operation(
        "text_replace",
        "Put letters where others were.",
        (_NAME, _POSITION, _LENGTH, _TEXT),
        _replace,
        WROTE,
        writes=True,
    ),
    Operation(
        "text_set",
        "Make it another text by the edits between the two.",
        (_NAME, _TEXT),
        _set,
        WROTE,
        writes=True,
    ),
    Operation(
        "text_info",
        "Say how long a text is and how it is kept.",
        (_NAME,),
        _info,
        {"length": INT, "pieces": INT, "unreadable": INT},
    ),
)
