"""The targets of ``targets.toml``, and whether a run reached them."""

import statistics
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from benchmarks.rounds import Result

FILE = Path(__file__).with_name("targets.toml")

Measure = Literal["ratio", "per_second", "p50_ms", "p50_ratio", "seconds", "megabytes"]


@dataclass(frozen=True, slots=True)
class Target:
    """One line of the contract: a figure of a case, and how high or low it must be."""

    case: str
    measure: Measure
    source: str
    to: str = "limit"
    entrant: str = "ramax"
    units: int = 1
    """For ``seconds``: how long so many units may take."""
    at_least: float | None = None
    at_most: float | None = None
    aim: float | None = None

    def value(self, results: Mapping[str, Result]) -> float | None:
        """Return what was measured, or None if this run did not measure it."""
        result = results.get(self.case)
        own = result and result.of(self.entrant)
        if not result or not own:
            return None
        match self.measure:
            case "ratio":
                ratios = result.ratios(self.entrant, self.to)
                return statistics.median(ratios) if ratios else None
            case "per_second":
                return own.rate
            case "p50_ms":
                return own.median(lambda s: s.p50) / 1000
            case "p50_ratio":
                other = result.of(self.to)
                pairs = zip(own.samples, other.samples, strict=True) if other else ()
                ratios = [a.p50 / b.p50 for a, b in pairs]
                return statistics.median(ratios) if ratios else None
            case "seconds":
                return self.units / own.rate
            case "megabytes":
                return own.median(lambda s: s.note) / 1e6

    def reached(self, value: float) -> bool:
        """Say whether a value is what must be."""
        return (self.at_least is None or value >= self.at_least) and (
            self.at_most is None or value <= self.at_most
        )

    def reached_aim(self, value: float) -> bool:
        """Say whether a value is what we want."""
        if self.aim is None:
            return self.reached(value)
        return value <= self.aim if self.at_most is not None else value >= self.aim

    def __str__(self) -> str:
        bound = f"≥ {self.at_least:g}" if self.at_least is not None else f"≤ {self.at_most:g}"
        to = f" to {self.to}" if "ratio" in self.measure else ""
        return f"{self.case}: {self.measure}{to} {bound}"


def load() -> list[Target]:
    """Read the targets.

    Raises:
        TypeError: A target has an unknown field, or misses one.
        ValueError: A target has no bound.
    """
    targets = [Target(**row) for row in tomllib.loads(FILE.read_text())["target"]]
    for target in targets:
        if target.at_least is None and target.at_most is None:
            raise ValueError(f"{target.case} has neither at_least nor at_most")
    return targets


def missed(results: Mapping[str, Result]) -> list[str]:
    """Name each target that this run measured and missed."""
    lines = []
    for target in load():
        value = target.value(results)
        if value is not None and not target.reached(value):
            lines.append(f"{target}, measured {value:.3g} ({target.source})")
    return lines
