"""How a subscription reads: where it begins, whether it follows, how much and how long."""

from dataclasses import dataclass
from typing import Literal

from ramax.errors import DataError

Start = Literal["beginning", "now"] | int

_LONGEST = 86_400


@dataclass(frozen=True, slots=True)
class Terms:
    """How a subscription reads; times in seconds."""

    start: Start = "beginning"
    follow: bool = True
    buffer: int = 1000
    poll_interval: float = 1.0
    lease: float = 30.0
    partitions: int = 1

    def __post_init__(self) -> None:
        start = self.start
        if start not in ("beginning", "now") and (type(start) is not int or start < 0):
            raise DataError("start", start, "is 'beginning', 'now', or a position of at least 0")
        if type(self.follow) is not bool:
            raise DataError("follow", self.follow, "is True or False")
        for name in ("buffer", "partitions"):
            size = getattr(self, name)
            if type(size) is not int or size < 1:
                raise DataError(name, size, "must be an int of at least 1")
        for name in ("poll_interval", "lease"):
            seconds = getattr(self, name)
            number = isinstance(seconds, (int, float)) and not isinstance(seconds, bool)
            if not number or not 0 < seconds <= _LONGEST:
                raise DataError(name, seconds, f"is seconds, above 0, up to {_LONGEST}")
