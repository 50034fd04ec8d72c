"""How long to wait before the next try: longer each time, and not all at the same moment."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Backoff:
    """Seconds: the first wait, and the most that doubling leads to."""

    first: float = 0.2
    most: float = 60.0

    def wait(self, failures: int, chance: float) -> float:
        """Return how long to wait after so many failures in a row; ``chance`` is 0 to 1."""
        longest = min(self.most, self.first * 2.0 ** min(failures - 1, 32))
        return longest * (0.5 + chance / 2)
