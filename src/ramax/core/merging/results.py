"""What a merge did, or would do."""

from dataclasses import dataclass

from ramax.core.merging.conflicts import MergeConflict


@dataclass(frozen=True, slots=True)
class SpaceMerge:
    """What was taken over into one space.

    ``copied`` events of the source were recorded again, and ``made`` ones say outright what copies
    could not. Of the conflicts the target kept what it had in ``kept``, and has what the source
    had in ``taken``. ``space_sequence`` is that of the target afterwards.
    """

    space: str
    copied: int = 0
    made: int = 0
    kept: tuple[MergeConflict, ...] = ()
    taken: tuple[MergeConflict, ...] = ()
    space_sequence: int = 0

    @property
    def changed(self) -> bool:
        """Whether anything was recorded in the space."""
        return bool(self.copied or self.made)


@dataclass(frozen=True, slots=True)
class MergePreview:
    """What a merge into one space would take over, and what stands in its way."""

    space: str
    copied: int = 0
    made: int = 0
    conflicts: tuple[MergeConflict, ...] = ()


@dataclass(frozen=True, slots=True)
class BranchMerge:
    """What a merge of two branches did: the spaces that it touched, in the order of their ids.

    ``created`` are names of spaces that the target got; ``unchanged`` is how many spaces both
    have that had nothing to take over.
    """

    source: str
    into: str
    spaces: tuple[SpaceMerge, ...] = ()
    created: tuple[str, ...] = ()
    unchanged: int = 0

    @property
    def changed(self) -> bool:
        """Whether anything was recorded anywhere."""
        return bool(self.created) or any(each.changed for each in self.spaces)


@dataclass(frozen=True, slots=True)
class BranchPreview:
    """What a merge of two branches would do, and every conflict that stands in its way."""

    source: str
    into: str
    spaces: tuple[MergePreview, ...] = ()
    created: tuple[str, ...] = ()
    unchanged: int = 0

    @property
    def conflicts(self) -> tuple[MergeConflict, ...]:
        """Those of all spaces."""
        return tuple(conflict for space in self.spaces for conflict in space.conflicts)
