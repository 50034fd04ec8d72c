"""The order of siblings: which sort key puts a node where it is to be, beside which others.

Only the neighbours are read. Where replicas gave several siblings one key, there is no room between
them: those behind the place get keys of their own with it.
"""

from hashlib import blake2b
from typing import Any, Final, NamedTuple

from ramax.core.datatypes.tree_places import Place, Where, child_key, children_prefix, place_of
from ramax.core.domain import State
from ramax.core.fractional import DIGITS, MAX_KEY_LENGTH, spread
from ramax.core.keys import after_key, prefix_end
from ramax.errors import NodeNotFoundError

_MARK: Final = 4
"""Digits of a key that are the node's own: what replicas put at one place apart has no equal keys,
but for one pair in 14 million."""


class Keyed(NamedTuple):
    """What is recorded of a node that gets a place: below which one, with which sort key."""

    node: str
    parent: str
    key: str


def place_for(state: State, tree: str, node: str, where: Where) -> tuple[str, list[Keyed]]:
    """Return a sort key for a node at a place, and siblings that have to get another one for it.

    Raises:
        NodeNotFoundError: The sibling is not there.
    """
    siblings = _Siblings(state, tree, where.parent, node)
    low, run, high = siblings.around(where)
    found = _keys(low, high, [node, *run])
    if max(map(len, found)) > MAX_KEY_LENGTH:
        names = siblings.all()
        at = names.index(run[0]) if run else _index(names, where)
        names.insert(at, node)
        run = [each for each in names if each != node]
        keys = dict(zip(names, _keys(None, None, names), strict=True))
        found = [keys[each] for each in [node, *run]]
    others = zip(run, found[1:], strict=True)
    return found[0], [Keyed(name, where.parent, key) for name, key in others]


def _index(names: list[str], where: Where) -> int:
    if where.sibling is None:
        return 0 if where.side == "first" else len(names)
    return names.index(where.sibling) + (where.side == "after")


def _keys(low: str | None, high: str | None, nodes: list[str]) -> list[str]:
    keys = spread(low, high, len(nodes))
    bounds = [*keys[1:], high]
    return [_own(*each) for each in zip(keys, bounds, nodes, strict=True)]


def _own(key: str, high: str | None, node: str) -> str:
    """Return a key that begins with another one, is below ``high``, and ends with a node's mark."""
    if high is not None and high.startswith(key):  # stay below what follows there
        rest = high[len(key) :]
        key += DIGITS[0] * (len(rest) - len(rest.lstrip(DIGITS[0])) + 1)
    return key + _mark(node)


def _mark(node: str) -> str:
    number = int.from_bytes(blake2b(node.encode(), digest_size=8).digest())
    found = DIGITS[1 + number % (len(DIGITS) - 1)]  # a key does not end with the lowest digit
    number //= len(DIGITS) - 1
    while len(found) < _MARK:
        number, digit = divmod(number, len(DIGITS))
        found = DIGITS[digit] + found
    return found


class _Siblings:
    """The children of a node in their order, but for one of them, as far as they are asked for."""

    def __init__(self, state: State, tree: str, parent: str, without: str) -> None:
        self._state: Any = state
        self._tree, self._parent, self._without = tree, parent, without
        self._low = children_prefix(tree, parent)
        self._high = prefix_end(self._low)

    def around(self, where: Where) -> tuple[str | None, list[str], str | None]:
        """Return the keys on both sides of a place, and who is between them though behind it."""
        if where.sibling is None:
            if where.side == "first":
                following = self._after(self._low)
                return None, [], following and self._key(following)
            before = self._before(self._high)
            return before and self._key(before), [], None
        at = self._stored(where.sibling)
        if where.side == "after":
            return self._behind(self._key(at), after_key(at))
        before = self._before(at)
        low, key = before and self._key(before), self._key(at)
        return self._behind(key, at) if low == key else (low, [], key)

    def _behind(self, low: str, start: str) -> tuple[str, list[str], str | None]:
        run = []
        at = self._after(start)
        while at is not None and self._key(at) == low:
            run.append(_name(at))
            at = self._after(after_key(at))
        return low, run, at and self._key(at)

    def all(self) -> list[str]:
        """Return all of them."""
        found = [_name(key) for key in self._state.under(self._low)]
        return [name for name in found if name != self._without]

    def _stored(self, sibling: str) -> str:
        place = place_of(self._state, self._tree, sibling)
        if place is None or place.parent != self._parent or sibling == self._without:
            raise NodeNotFoundError(self._tree, sibling)
        return child_key(self._tree, sibling, Place(*place))

    def _after(self, start: str) -> str | None:
        found: str | None = self._state.nearest(start, self._high)
        if found is not None and _name(found) == self._without:
            return self._after(after_key(found))
        return found

    def _before(self, end: str) -> str | None:
        found: str | None = self._state.nearest(self._low, end, down=True)
        if found is not None and _name(found) == self._without:
            return self._before(found)
        return found

    def _key(self, stored: str) -> str:
        return stored[len(self._low) :].partition("/")[0]


def _name(stored: str) -> str:
    return stored.rpartition("/")[2]
