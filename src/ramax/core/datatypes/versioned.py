"""Values that count their versions: 1, 2, 3 …, not starting again where one was deleted."""

from typing import Any, Final, NamedTuple

from ramax.core.domain import State
from ramax.errors import VersionConflictError

LIVE: Final = "v/"
"""Before the name of a value that is there."""

VERSION: Final = "version"
"""In the metadata of an event: which version the value got. For the caller; events are counted."""

_GONE: Final = "g/"


def keys_of(name: str) -> tuple[str, str]:
    """Return every key that a value and its versions are kept under."""
    return LIVE + name, _GONE + name


class Versioned(NamedTuple):
    """A value and its version."""

    version: int
    value: Any


def find(state: State, name: str) -> Versioned | None:
    """Return what is there now, or None."""
    found = state.get(LIVE + name)
    return None if found is None else Versioned(*found)


def expect(state: State, name: str, expected: int | None) -> None:
    """Compare the version with what the caller saw; None is a value that is not there.

    Raises:
        VersionConflictError: It has another version.
    """
    found = find(state, name)
    actual = None if found is None else found.version
    if actual != expected:
        raise VersionConflictError(name, expected, actual)


def next_version(state: State, name: str) -> dict[str, int]:
    """Return the metadata of an event that stores a value."""
    found = find(state, name)
    return {VERSION: (state.get(_GONE + name, 0) if found is None else found.version) + 1}


def store(state: State, name: str, value: Any) -> None:
    """Replace the value; it gets the next version."""
    found = find(state, name)
    version = state.pop(_GONE + name, 0) if found is None else found.version
    state[LIVE + name] = [version + 1, value]


def remove(state: State, name: str) -> None:
    """Delete the value; its last version is remembered, so that none is ever used twice."""
    found = find(state, name)
    if found is not None:
        del state[LIVE + name]
        state[_GONE + name] = found.version
