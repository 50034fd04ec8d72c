"""Ranges of keys in byte order, which is code point order in UTF-8."""

from typing import Final

OWN: Final = "\x01"
"""Keys of a pstate that begin with it are ramax's own: those of its data types."""

FIRST: Final = "\x02"
"""The lowest key that an application may have."""

# above every key: a key has at most 1,024 bytes, so at most 256 of the highest code point
_ABOVE_ALL = "\U0010ffff" * 257


def prefix_end(prefix: str) -> str:
    """Return the smallest text above every key that begins with ``prefix``."""
    for position in range(len(prefix) - 1, -1, -1):
        code = ord(prefix[position])
        if code < 0x10FFFF:  # noqa: PLR2004 - the highest code point has no successor
            following = 0xE000 if code == 0xD7FF else code + 1  # noqa: PLR2004 - over surrogates
            return prefix[:position] + chr(following)
    return _ABOVE_ALL


def after_key(key: str) -> str:
    """Return the smallest text above a key that a key could be; none has a NUL."""
    return key + "\x01"


def key_range(prefix: str) -> tuple[str, str]:
    """Return the keys with that prefix as low <= key < high; without one, the application's."""
    return prefix or FIRST, prefix_end(prefix)
