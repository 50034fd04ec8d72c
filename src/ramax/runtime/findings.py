"""What a verification reports."""

from dataclasses import dataclass
from typing import Literal

from ramax.values import Space

Check = Literal[
    "sequence",
    "event",
    "upcast",
    "chain",
    "checkpoint",
    "pstate",
    "search",
    "snapshot",
    "tags",
]

MAX_FINDINGS = 100
"""Findings that a report names; the others are counted."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as it must be; ``message`` names the sequence or the key."""

    check: Check
    message: str


@dataclass(frozen=True, slots=True)
class SpaceReport:
    """What the verification of one space came to.

    ``checkpoint`` is the sequence up to which the pstate is folded; behind the last event is no
    fault. ``compared`` counts the keys that were compared with a new fold; None says that none
    was, and ``not_compared`` why. ``chained`` counts the events whose hash was checked, None in a
    space without a hash chain. ``findings`` ends at `MAX_FINDINGS`, ``finding_count`` does not.
    """

    space: Space
    event_count: int
    last_sequence: int
    checkpoint: int
    compared: int | None
    not_compared: str | None
    chained: int | None
    findings: tuple[Finding, ...]
    finding_count: int

    @property
    def ok(self) -> bool:
        """Whether nothing was found."""
        return self.finding_count == 0


class Findings:
    """Gathers what is found in one space."""

    def __init__(self) -> None:
        self.named: list[Finding] = []
        self.count = 0

    def add(self, check: Check, message: str) -> None:
        """Count a finding, and keep it if there is room."""
        self.count += 1
        if len(self.named) < MAX_FINDINGS:
            self.named.append(Finding(check, message))

    def take(self, others: "Findings") -> None:
        """Add what others found."""
        self.count += others.count
        self.named += others.named[: MAX_FINDINGS - len(self.named)]
