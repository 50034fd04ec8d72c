"""Knots: keys from each of which links lead to every other one of them, and back."""

from collections.abc import Mapping, Sequence

Links = Mapping[str, Sequence[str]]
"""To which keys the value of a key refers; every key that is named has its own entry."""


def knots(links: Links) -> dict[str, int]:
    """Number the knots; two keys have one number exactly if each leads to the other.

    A key that is on no circle is a knot by itself. Tarjan's algorithm, without recursion.
    """
    search = _Search(links)
    for key in links:
        if key not in search.order:
            search.run(key)
    return search.found


class _Search:
    def __init__(self, links: Links) -> None:
        self._links = links
        self.order: dict[str, int] = {}
        self.found: dict[str, int] = {}
        self._lowest: dict[str, int] = {}
        self._open: list[str] = []

    def run(self, start: str) -> None:
        """Visit everything that ``start`` leads to, deepest first."""
        self._enter(start)
        path = [(start, iter(self._links[start]))]
        while path:
            key, targets = path[-1]
            for target in targets:
                if target not in self.order:
                    self._enter(target)
                    path.append((target, iter(self._links[target])))
                    break
                if target not in self.found:  # it is on the path, or leads to it
                    self._lowest[key] = min(self._lowest[key], self.order[target])
            else:
                path.pop()
                self._leave(key, path[-1][0] if path else None)

    def _enter(self, key: str) -> None:
        self.order[key] = self._lowest[key] = len(self.order)
        self._open.append(key)

    def _leave(self, key: str, above: str | None) -> None:
        if self._lowest[key] == self.order[key]:
            while True:
                member = self._open.pop()
                self.found[member] = self.order[key]
                if member == key:
                    break
        elif above is not None:
            self._lowest[above] = min(self._lowest[above], self._lowest[key])
