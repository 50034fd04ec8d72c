"""The tags of an event: what they may be, and how they are stored beside it."""

from collections.abc import Collection
from typing import Any, Final

from ramax.core.codec import decode, encode
from ramax.core.limits import check_name
from ramax.errors import DataError

MAX_TAGS: Final = 64
"""Tags that one event may have."""


def checked_tags(tags: Any, what: str) -> list[str]:
    """Return tags in order, each once: at most 64, of 1 to 255 UTF-8 bytes; else `DataError`.

    An iterator is refused: a command may be decided twice, and it would be empty by then.
    """
    if isinstance(tags, (str, bytes)) or not isinstance(tags, Collection):
        raise DataError(what, tags, "must be a list of str")
    found = list(tags)
    for tag in found:
        check_name(tag, what)
    found = sorted(set(found))
    if len(found) > MAX_TAGS:
        raise DataError(what, found, f"are {len(found)}; the limit is {MAX_TAGS}")
    return found


def pack_tags(tags: list[str]) -> bytes | None:
    """Pack tags as an event row holds them; None where there are none."""
    return encode(tags, "tags") if tags else None


def unpack_tags(packed: bytes | None) -> tuple[str, ...]:
    """Return the tags that an event row holds."""
    return () if packed is None else tuple(decode(packed))
