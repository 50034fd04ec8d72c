"""What a write to a versioned value answers."""

from typing import Any, Self

from ramax.core.datatypes.versioned import VERSION
from ramax.values import Commit, Event


class VersionedCommit(Commit):
    """A `Commit` that knows the version which the value got."""

    __slots__ = ()

    @property
    def version(self) -> int | None:
        """The new version; None where nothing was to be written."""
        return version_of(self.events[-1]) if self.events else None

    @classmethod
    def of(cls, commit: Commit) -> Self:
        """Make it of the commit that the writer gave."""
        return cls(lambda: commit.events, commit.space_sequence, commit.replayed)


def version_of(event: Event) -> Any:
    """Return the version that a value got by an event, None where it was deleted."""
    return (event.metadata or {}).get(VERSION)
