"""The write plan: everything that a batch adds, as one value that every database writes its way."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ramax.core.space_write import SpaceWrite
from ramax.storage.sql import Statement

EventIds = Mapping[int, int]
"""The ids that the events of a space got, by sequence."""


@dataclass(frozen=True, slots=True)
class Extra:
    """Rows of a feature that commit with the events: one statement, many sets of parameters.

    Each set carries ``space_id``; those of a space whose guard was lost are not written.
    """

    statement: Statement
    rows: Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class WritePlan:
    """What to write for a batch; ``token`` identifies the batch if its acknowledgement is lost."""

    spaces: Sequence[SpaceWrite]
    token: bytes
    now: int
    extras: Sequence[Extra] = field(default_factory=tuple)
