"""Resolving references: reading what a value leads to, and unfolding it into one value."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from ramax.core.knots import knots
from ramax.core.walk import NOT_THERE, Walk, readable, refs_in, substitute
from ramax.errors import CircularRefError, DataError
from ramax.values import Ref

LINKS_UNFOLDED: Final = 12_000
"""Links inside knots that are unfolded way by way; where there are more, shortest ways only."""


def check_depth(depth: Any) -> None:
    """Refuse what is not a number of levels.

    Raises:
        DataError: It is neither None nor an int of at least 0.
    """
    if depth is not None and (type(depth) is not int or depth < 0):
        raise DataError("depth", depth, "is a number of levels from 0, or None for all of them")


def resolve(key: str, depth: int | None) -> Walk[Any]:
    """Read a key and what it leads to, ``depth`` levels far, and put it together.

    Every level is asked for at once and every key once. A reference stays where it is dangling,
    where ``depth`` ends, and where it leads back to something that it stands in. If circles are
    so dense that this leaves more than `LINKS_UNFOLDED` links to unfold in them, those of their
    links stay as well that are no step on a shortest way from ``key``.

    Returns:
        The value, or `NOT_THERE`. An entity that occurs several times is one object.

    Raises:
        CircularRefError: A chain of keys whose values are nothing but references loops.
    """
    values: dict[str, Any] = {}
    targets: dict[str, list[str]] = {}
    levels = {key: 0}
    level = [key]
    far = 0
    while level:
        found = yield level
        values.update(found)
        for each, value in found.items():
            targets[each] = list(dict.fromkeys(ref.key for ref in refs_in(value)))
        far += 1
        if depth is not None and far > depth:
            break
        level = readable(
            target for each in found for target in targets[each] if target not in levels
        )
        levels.update(dict.fromkeys(level, far))
    if key not in values:
        return NOT_THERE
    links = {each: [t for t in named if t in values] for each, named in targets.items()}
    return _Unfolding(values, links, levels).of(key, depth)


class _Place(NamedTuple):
    """An entity where it occurs: levels left below it, and what of its knot it stands in."""

    key: str
    left: int | None
    around: frozenset[str]


_ANYWHERE: Final[frozenset[str]] = frozenset()
_Rule = Callable[[_Place, str], frozenset[str] | None]


class _TooManyError(Exception):
    """A knot so dense that its ways cannot all be gone."""


class _Unfolding:
    """Puts values in the place of references; equal places share one result.

    Outside knots an entity looks the same wherever it occurs. Inside one it depends on the way
    that leads to it, and the number of ways can be exponential.
    """

    def __init__(
        self, values: Mapping[str, Any], links: Mapping[str, Sequence[str]], levels: dict[str, int]
    ) -> None:
        self._values, self._links, self._levels = values, links, levels
        self._knots = knots(links)
        self._room = 0

    def of(self, key: str, depth: int | None) -> Any:
        """Return the value of ``key``, unfolded ``depth`` levels far."""
        self._room = LINKS_UNFOLDED
        try:
            return self._unfold(_Place(key, depth, frozenset((key,))), self._by_way)
        except _TooManyError:
            return self._unfold(_Place(key, depth, _ANYWHERE), self._by_level)

    def _by_way(self, place: _Place, target: str) -> frozenset[str] | None:
        """Stay only where a link leads back to where it came from."""
        if self._knots[target] != self._knots[place.key]:
            return frozenset((target,))
        self._room -= 1
        if self._room < 0:
            raise _TooManyError
        return None if target in place.around else place.around | {target}

    def _by_level(self, place: _Place, target: str) -> frozenset[str] | None:
        """Stay within a knot unless the target is one level further from the start."""
        same = self._knots[target] == self._knots[place.key]
        return None if same and self._levels[target] <= self._levels[place.key] else _ANYWHERE

    def _unfold(self, start: _Place, rule: _Rule) -> Any:
        """Make the innermost values first; without recursion, since chains may be long."""
        done: dict[_Place, Any] = {}
        inside: dict[_Place, dict[str, _Place]] = {}
        waiting = [start]
        while waiting:
            place = waiting[-1]
            if place not in inside:
                inside[place] = self._inside(place, rule)
                waiting.extend(each for each in inside[place].values() if each not in done)
                continue
            waiting.pop()
            if place not in done:
                parts = {key: done[each] for key, each in inside[place].items()}
                value = self._values[place.key]
                done[place] = substitute(value, parts) if parts else value
        return done[start]

    def _inside(self, place: _Place, rule: _Rule) -> dict[str, _Place]:
        if place.left == 0:
            return {}
        left = None if place.left is None else place.left - 1
        found = {}
        for target in self._links[place.key]:
            around = rule(place, target)
            if around is not None:
                found[target] = _Place(target, left, around)
            elif type(self._values[place.key]) is Ref:
                self._refuse_loop(target)
        return found

    def _refuse_loop(self, start: str) -> None:
        chain = [start]
        while type(value := self._values.get(chain[-1])) is Ref:
            chain.append(value.key)
            if value.key == start:
                raise CircularRefError(chain)
