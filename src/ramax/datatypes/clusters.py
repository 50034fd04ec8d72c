"""Vectors in groups of near ones: a search looks at the groups that are nearest, and misses few.

How many groups it looks at is measured on the vectors themselves (ADR-0072): so many that
`RECALL` of the ten nearest are in them. Where that would be most groups, there are none.
"""

from typing import Any, Final

RECALL: Final = 0.97
"""The part of the ten nearest that must be in the groups that are looked at."""

_MOST_GROUPS: Final = 4096
_SAMPLE: Final = 64
"""Vectors of each group, about, that the groups are found with."""

_ROUNDS: Final = 6
_ASKED: Final = 100
"""Vectors that the measurement asks for."""

_NEAREST: Final = 10
_WORTH: Final = 0.1
"""The part of all groups from which it is as quick to look at everything."""

_BLOCK: Final = 4096
_SEED: Final = 20_250_101


class Clusters:
    """Groups of the rows of a matrix, found once; rows that come later join the nearest one."""

    def __init__(self, np: Any, metric: str, rows: Any) -> None:
        self._np, self._angles = np, metric == "cosine"
        self._metric = metric
        chance = np.random.default_rng(_SEED)
        count = min(_MOST_GROUPS, max(1, int(len(rows) ** 0.5)))
        at = chance.choice(len(rows), min(len(rows), count * _SAMPLE), replace=False)
        self._centres = self._found(self._prepared(rows[np.sort(at)]), count, chance)
        self.groups = np.zeros(len(rows), dtype="i2")
        self.assign(rows, np.arange(len(rows)))
        self.probes = self._measured(rows, chance)

    @property
    def is_worth_it(self) -> bool:
        """Whether a search looks at far fewer vectors than there are."""
        return bool(self.probes <= _WORTH * len(self._centres))

    def assign(self, rows: Any, places: Any) -> None:
        """Say to which group the rows at these places belong now."""
        np = self._np
        if len(rows) > len(self.groups):
            self.groups = np.resize(self.groups, max(len(rows), 2 * len(self.groups)))
        for at in range(0, len(places), _BLOCK):
            part = places[at : at + _BLOCK]
            self.groups[part] = self._nearest(self._prepared(rows[part]), self._centres)

    def move(self, source: int, target: int) -> None:
        """Follow a row to another place."""
        self.groups[target] = self.groups[source]

    def candidates(self, wanted: Any, count: int) -> Any:
        """Return the places, of the first ``count``, whose groups are nearest to a vector."""
        np = self._np
        near = self._to_centres(self._prepared(wanted[None, :]))[0]
        chosen = np.zeros(len(near), dtype=bool)
        chosen[np.argpartition(-near, self.probes - 1)[: self.probes]] = True
        return np.flatnonzero(chosen[self.groups[:count]])

    def _prepared(self, rows: Any) -> Any:
        """Return rows of which only the direction counts at length 1."""
        if not self._angles:
            return rows
        lengths = self._np.sqrt(self._np.einsum("ij,ij->i", rows, rows))[:, None]
        return rows / self._np.where(lengths > 0, lengths, 1)

    def _found(self, rows: Any, count: int, chance: Any) -> Any:
        """Find centres: each moves into the middle of its rows, again and again."""
        np = self._np
        centres = rows[chance.choice(len(rows), count, replace=False)].copy()
        for _ in range(_ROUNDS):
            blocks = range(0, len(rows), _BLOCK)
            nearest = [self._nearest(rows[at : at + _BLOCK], centres) for at in blocks]
            groups = np.concatenate(nearest)
            order = np.argsort(groups, kind="stable")
            filled, starts = np.unique(groups[order], return_index=True)
            sizes = np.diff(np.append(starts, len(rows)))[:, None]
            sums = np.add.reduceat(rows[order].astype("f8"), starts, axis=0)
            centres[filled] = self._prepared((sums / sizes).astype("f4"))
        return centres

    def _nearest(self, rows: Any, centres: Any) -> Any:
        """Return the group of each row: that whose centre is least far."""
        return (rows @ centres.T - self._halves(centres)).argmax(axis=1)

    def _to_centres(self, wanted: Any) -> Any:
        """Return how near each centre is to each wanted vector."""
        dots = wanted @ self._centres.T
        return dots - self._halves(self._centres) if self._metric == "euclidean" else dots

    def _halves(self, centres: Any) -> Any:
        """|r - c|² is least where r·c - |c|²/2 is most."""
        return self._np.einsum("ij,ij->i", centres, centres) / 2

    def _measured(self, rows: Any, chance: Any) -> int:
        """Return how many groups hold `RECALL` of the nearest of some of the rows."""
        np = self._np
        asked = chance.choice(len(rows), min(len(rows), _ASKED), replace=False)
        wanted = self._prepared(rows[asked])
        ranks = np.argsort(np.argsort(-self._to_centres(wanted), axis=1), axis=1)
        nearest = self._really_nearest(rows, asked, wanted)
        found = np.sort(np.take_along_axis(ranks, self.groups[nearest], axis=1), axis=None)
        return int(found[int(np.ceil(RECALL * len(found))) - 1]) + 1

    def _really_nearest(self, rows: Any, asked: Any, wanted: Any) -> Any:
        """Return the places of the ten nearest of each, itself apart, compared with each row."""
        np, few = self._np, min(_NEAREST, len(rows) - 1)
        best = np.empty((0, len(asked)), dtype="f4")
        places = np.empty((0, len(asked)), dtype="i8")
        for at in range(0, len(rows), _BLOCK):
            near = self._nearness(self._prepared(rows[at : at + _BLOCK]), wanted)
            here = np.arange(at, at + len(near))[:, None].repeat(len(asked), axis=1)
            near[here == asked] = -np.inf
            best, places = np.concatenate([best, near]), np.concatenate([places, here])
            kept = np.argpartition(-best, min(few, len(best)) - 1, axis=0)[:few]
            best = np.take_along_axis(best, kept, axis=0)
            places = np.take_along_axis(places, kept, axis=0)
        return places.T

    def _nearness(self, rows: Any, wanted: Any) -> Any:
        dots = rows @ wanted.T
        return dots - self._halves(rows)[:, None] if self._metric == "euclidean" else dots
