"""What spaces store without a domain: values, a log, cells, JSON, trees, texts, vectors."""

from ramax.datatypes.cells import Cell, Cells, CellVersion
from ramax.datatypes.json import JsonDocument, JsonDocuments, JsonVersion
from ramax.datatypes.kv import KeyValues, KeyVersion
from ramax.datatypes.log import Log, LogCommit
from ramax.datatypes.log_entry import LogEntry
from ramax.datatypes.log_verification import LogVerification
from ramax.datatypes.text import Text, TextInfo
from ramax.datatypes.tree import Node, NodeCommit, Tree
from ramax.datatypes.vectors import Collection, Vector, VectorMatch, Vectors
from ramax.datatypes.versions import VersionedCommit

__all__ = [
    "Cell",
    "CellVersion",
    "Cells",
    "Collection",
    "JsonDocument",
    "JsonDocuments",
    "JsonVersion",
    "KeyValues",
    "KeyVersion",
    "Log",
    "LogCommit",
    "LogEntry",
    "LogVerification",
    "Node",
    "NodeCommit",
    "Text",
    "TextInfo",
    "Tree",
    "Vector",
    "VectorMatch",
    "Vectors",
    "VersionedCommit",
]
