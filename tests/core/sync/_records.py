"""Three origins, and the records of `ramax.testing`."""

from ramax.testing.records import record, records

ANNE, BOB, CARL = (letter * 16 for letter in (b"a", b"b", b"c"))

__all__ = ["ANNE", "BOB", "CARL", "record", "records"]
