"""The composition root: ``connect``, and the public handles with everything that they offer."""

from ramax.entry.connecting import connect
from ramax.entry.handles import ContentStore, Database, Past, Transaction, TransactionScope
from ramax.entry.sync import SpaceManager, SqlLayer

__all__ = [
    "ContentStore",
    "Database",
    "Past",
    "SpaceManager",
    "SqlLayer",
    "Transaction",
    "TransactionScope",
    "connect",
]
