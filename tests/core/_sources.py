"""Sources of packed values for states without a database."""

from ramax.core.codec import encode
from ramax.core.state import StateUnavailableError


class Stored:
    """A source that counts what it is asked for."""

    def __init__(self, **values):
        self.values = {key: encode(value, key) for key, value in values.items()}
        self.asked = []

    def load(self, key):
        self.asked.append(key)
        return self.values.get(key)

    def load_range(self, low, high):
        self.asked.append("*")
        return {key: value for key, value in self.values.items() if low <= key < high}

    def load_nearest(self, low, high, end):
        self.asked.append((low, high))
        found = [key for key in self.values if low <= key < high]
        return (max if end == "highest" else min)(found, default=None)


class Broken(Stored):
    """A source whose database is gone."""

    def load(self, key):
        raise StateUnavailableError(key)

    def load_range(self, _low, _high):
        raise StateUnavailableError("*")

    def load_nearest(self, _low, _high, _end):
        raise StateUnavailableError("*")


def packed(value):
    return encode(value, "test")
