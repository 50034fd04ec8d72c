"""The public registry of spaces: that of the runtime, and what takes two spaces."""

from collections.abc import Iterable, Mapping
from typing import Any

from ramax.branches.cloning import clone
from ramax.branches.promotion import Promotion, chosen_of
from ramax.core.domain import Domain
from ramax.core.merging.conflicts import OnConflict
from ramax.core.merging.results import MergePreview, SpaceMerge
from ramax.runtime import spaces
from ramax.runtime.core import SpaceLike
from ramax.values import Space


class SpaceRegistry(spaces.SpaceRegistry):
    """Creates, finds, lists, renames and deletes spaces; takes over from one to another.

    `default` always exists: it is reported from the start, gets its row (and id) at the first
    write, and cannot be renamed or deleted. Names that begin with `_system_` are hidden.
    """

    async def clone(self, source: SpaceLike, name: str) -> Space:
        """Make another space that has what one has now, and goes on by itself.

        Costs two rows, however much the source holds: what was before is read from there. As a
        space of a branch that was forked, which this is but for the branch: see `Branches.fork`.

        Args:
            source: A `Space`, name or id.

        Raises:
            SpaceExistsError: The name is taken.
            SpaceNotFoundError: There is no such source.
            MisuseError: The source is `default`, and nobody has written to it.
        """
        return await clone(self._core, source, name)

    async def promote(
        self,
        source: Any,
        target: Any,
        entities: Iterable[str] = (),
        *,
        data: Mapping[str, Iterable[str]] | None = None,
        domain: Domain | None = None,
        on_conflict: OnConflict = "fail",
    ) -> SpaceMerge:
        """Take some entities over from one space to another, all or nothing.

        What the source recorded about them since they were last promoted is recorded again in the
        target, in order, each event caused by the one that it is a copy of. Doing so again takes
        nothing over. An entity that the target has changed since then is a conflict; a JSON
        document that both have changed in different places is not.

        Args:
            source: A `Space`, name, id or store.
            target: Likewise; a store brings its domain along.
            entities: Their ids.
            data: Names in the data types: ``{"kv": ["theme"], "json": ["home"]}``; of ``kv``,
                ``cells``, ``json``, ``vectors`` and ``tree`` (whole collections and trees) and
                ``log`` (``entries``).
            domain: Folds the target. Without one the target's pstate is folded by its next user
                who has the domain; data types need none.
            on_conflict: ``"fail"``; ``"ours"`` keeps what the target has, ``"theirs"`` takes what
                the source has on top of it; or a function of a `MergeConflict` that returns one
                of these, or new events for the target. It may be called again, and must be pure.

        Raises:
            MergeConflictError: There are conflicts, and ``on_conflict`` is ``"fail"``.
            SpaceNotFoundError: There is no such space.
            DataError: An entity has no event in the source, or an argument breaks a rule.
            FoldError, ProjectionError, DomainMismatchError: The target cannot fold the copies.
        """
        promotion = Promotion(self._core, source, target, chosen_of(entities, data))
        return await promotion.run(on_conflict, domain)

    async def preview_promote(
        self,
        source: Any,
        target: Any,
        entities: Iterable[str] = (),
        *,
        data: Mapping[str, Iterable[str]] | None = None,
    ) -> MergePreview:
        """Say what `promote` would take over, and its conflicts; nothing is written.

        Raises:
            SpaceNotFoundError, DataError: As `promote`.
        """
        return await Promotion(self._core, source, target, chosen_of(entities, data)).preview()
