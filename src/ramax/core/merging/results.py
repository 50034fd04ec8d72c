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
