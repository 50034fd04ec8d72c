"""The composition root: ``connect``, and the public handles with everything that they offer."""

from ramax.entry.connecting import connect
from ramax.entry.handles import ContentStore, Database, Past, Transaction, TransactionScope

__all__ = ["ContentStore", "Database", "Past", "Transaction", "TransactionScope", "connect"]
