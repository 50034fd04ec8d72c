"""The clients of the features, as the public handles offer them."""

import weakref
from typing import Protocol

from ramax.core.datatypes.cells import CELLS
from ramax.core.datatypes.datatype import DataType
from ramax.core.datatypes.json import JSON
from ramax.core.datatypes.kv import KV
from ramax.core.datatypes.log import LOG
from ramax.core.datatypes.text import TEXT
from ramax.core.datatypes.tree import TREE
from ramax.core.datatypes.vectors import VECTORS
from ramax.core.domain import Domain
from ramax.core.sealed import KeyProvider
from ramax.datatypes import Cells, JsonDocuments, KeyValues, Log, Text, Tree, Vectors
from ramax.runtime.core import Core
from ramax.runtime.partition import Partition
from ramax.secrets.client import Secrets
from ramax.secrets.merging import SecretExchange
from ramax.secrets.vault import Vault
from ramax.sync.replica import Replica
from ramax.values import Space


class OneSpace(Protocol):
    """A handle that reaches one space."""

    def part(self, datatype: DataType) -> Partition:
        """Return what a data type keeps in the space."""
        ...


class DataTypes:
    """What a space can store without a domain; it is part of the space like any other event."""

    __slots__ = ()

    @property
    def kv(self: OneSpace) -> KeyValues:
        """Values under keys."""
        return KeyValues(self.part(KV))

    @property
    def log(self: OneSpace) -> Log:
        """Typed entries, numbered 1, 2, 3 and so on, chained by hashes."""
        return Log(self.part(LOG))

    @property
    def cells(self: OneSpace) -> Cells:
        """Named values that count their versions."""
        return Cells(self.part(CELLS))

    @property
    def state(self: OneSpace) -> Cells:
        """Another name of ``cells``."""
        return Cells(self.part(CELLS))

    @property
    def json(self: OneSpace) -> JsonDocuments:
        """JSON documents."""
        return JsonDocuments(self.part(JSON))

    @property
    def vectors(self: OneSpace) -> Vectors:
        """Collections of vectors."""
        return Vectors(self.part(VECTORS))

    def tree(self: OneSpace, name: str) -> Tree:
        """Return a tree of nodes with properties; see `Tree` for what its name may be."""
        return Tree(self.part(TREE), name)

    def text(self: OneSpace, name: str) -> Text:
        """Return a text that several people edit at once; see `Text` for what its name may be."""
        return Text(self.part(TEXT), name)


_vaults: weakref.WeakKeyDictionary[Core, Vault] = weakref.WeakKeyDictionary()


def open_vault(core: Core, keys: KeyProvider | None) -> None:
    """Let the secrets of a database that has just been opened use this key provider."""
    _vaults[core] = Vault(keys)


def secrets_of(core: Core, space: Space) -> Secrets:
    """Return the client of a space's secrets."""
    return Secrets(core, space, _vaults[core.root])


def replica_of(core: Core, space: Space, domain: Domain | None) -> Replica:
    """Return the replication of a space."""
    return Replica(core, space, domain)


def exchange_of(core: Core, space: Space) -> SecretExchange:
    """Return what gives and takes the sealed secrets of a space."""
    return SecretExchange(core, space, _vaults[core])
