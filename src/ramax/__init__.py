"""Async event sourcing and CQRS with spaces: many tenants in one database, nothing shared."""

from ramax.core.domain import Applicator, Command, Domain
from ramax.core.limits import validate_space_name
from ramax.entry import connect
from ramax.errors import (
    CommitUnknownError,
    ConcurrencyError,
    ConflictError,
    DataError,
    DomainMismatchError,
    MisuseError,
    NotFoundError,
    RamaxError,
    Rejected,
    StorageError,
)
from ramax.runtime.content_store import ContentStore
from ramax.runtime.database import Database
from ramax.runtime.transaction import Transaction
from ramax.values import Commit, Event, NewEvent, Progress, Ref, Space, SpaceStats

__all__ = [
    "Applicator",
    "Command",
    "Commit",
    "CommitUnknownError",
    "ConcurrencyError",
    "ConflictError",
    "ContentStore",
    "DataError",
    "Database",
    "Domain",
    "DomainMismatchError",
    "Event",
    "MisuseError",
    "NewEvent",
    "NotFoundError",
    "Progress",
    "RamaxError",
    "Ref",
    "Rejected",
    "Space",
    "SpaceStats",
    "StorageError",
    "Transaction",
    "connect",
    "validate_space_name",
]
__version__ = "0.1.0"
