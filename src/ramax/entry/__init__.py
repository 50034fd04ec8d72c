"""The composition root: ``connect``, and the public handles with everything that they offer."""

from ramax.entry.authority import Follower, SqlAuthority
from ramax.entry.connecting import connect
from ramax.entry.handles import ContentStore, Database, Past, Transaction, TransactionScope
from ramax.entry.sync import SpaceManager, SqlLayer

__all__ = [
    "ContentStore",
    "Database",
    "Follower",
    "Past",
    "SpaceManager",
    "SqlAuthority",
    "SqlLayer",
    "Transaction",
    "TransactionScope",
    "connect",
]
