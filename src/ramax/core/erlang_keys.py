"""Erlang map keys as dict keys: frozen where Python cannot hash, renamed where it sees them equal.

A list becomes a tuple, a map a frozenset of pairs, a set a frozenset. Of keys that Erlang tells
apart and Python does not (`:a` and "a", 1 and 1.0 and true) one keeps the key, a binary before an
atom, and each other goes by its notation (":a") as a str key, which is reported.
"""

from dataclasses import dataclass
from typing import Any, Final

from ramax.core.erlang_reader import Reader, refuse
from ramax.errors import shown

ATOM_TAGS: Final = frozenset({100, 115, 118, 119})
CONSTANTS: Final[dict[str, Any]] = {"nil": None, "true": True, "false": False}


@dataclass(frozen=True, slots=True)
class KeyCollision:
    """A map held a key that Python cannot tell from ``key``; in the dict it is ``renamed``."""

    key: object
    renamed: str


def hashable(key: Any) -> Any:
    """Freeze what Python cannot hash."""
    kind = type(key)
    if kind is list or kind is tuple:
        return tuple([hashable(item) for item in key])
    if kind is dict:
        return frozenset([(name, hashable(item)) for name, item in key.items()])
    return frozenset(key) if kind is set else key


def keep_all(reader: Reader, entries: list[tuple[Any, Any, bytes]]) -> dict[Any, Any]:
    """Make a dict of (key, value, bytes of the key), no entry lost; report what was renamed.

    A key that is there twice, byte by byte, is what no Erlang writes: it is refused.
    """
    found: dict[Any, Any] = {}
    first: dict[Any, bytes] = {}
    equal = []
    for key, value, raw in sorted(entries, key=lambda entry: entry[2][0] in ATOM_TAGS):
        if key not in first:
            first[key], found[key] = raw, value
        elif first[key] == raw:
            refuse(reader.data, f"a map holds the key {raw!r} twice")
        else:
            equal.append((key, value, raw))
    for key, value, raw in equal:
        renamed = f":{_atom_text(key)}" if raw[0] in ATOM_TAGS else shown(key)
        while renamed in found:
            renamed = f":{renamed}"
        found[renamed] = value
        reader.collisions.append(KeyCollision(key, renamed))
    return found


def _atom_text(atom: Any) -> str:
    return next((name for name, value in CONSTANTS.items() if value is atom), atom)
