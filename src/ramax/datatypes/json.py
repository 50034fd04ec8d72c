"""``store.json``: JSON documents, read and changed as a whole or at a path."""

from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Unpack

from ramax.core.datatypes import json as rules
from ramax.core.datatypes.datatype import check_own_name
from ramax.core.datatypes.json_changes import changed
from ramax.core.datatypes.json_value import (
    MISSING,
    Tokens,
    check_json,
    look,
    merged,
    with_value,
    without_value,
)
from ramax.core.datatypes.versioned import LIVE
from ramax.core.limits import check_sequence
from ramax.datatypes import json_find
from ramax.datatypes.arguments import bound, checked_prefix, named, names
from ramax.datatypes.json_path import ROOT, checked_patch, matches, patched, way
from ramax.datatypes.versions import VersionedCommit, version_of
from ramax.runtime.partition import Partition, WriteOptions
from ramax.values import Commit

_KEY, _PREFIX, _DOCUMENT = "document key", "prefix of document keys", "JSON document"


@dataclass(frozen=True, slots=True)
class JsonDocument:
    """A document as it is; versions are 1, 2, 3 and so on."""

    key: str
    value: Any
    version: int


@dataclass(frozen=True, slots=True)
class JsonVersion:
    """What a document was from an event on; ``deleted``: nothing, and no version."""

    value: Any
    version: int | None
    deleted: bool
    space_sequence: int
    timestamp: datetime


class JsonDocuments:
    """Documents under keys of 1 to 900 UTF-8 bytes, each up to 16 MiB.

    Paths are those of RFC 9535; where one value is meant they name members and items only. An
    edit is recorded as what it changes, so a small edit of a large document is a small event.
    Every write takes the options of `ContentStore.execute`: ``idempotency_key`` and so on.
    """

    def __init__(self, part: Partition) -> None:
        self._part = part

    async def set(
        self, key: str, value: Any, path: str = ROOT, **options: Unpack[WriteOptions]
    ) -> VersionedCommit:
        """Store a document, or the value at a path; objects on the way are made.

        Raises:
            DataError: The key breaks a rule, or the value is not in JSON (NaN, a date, …).
            JsonPathError: The path is none, or leads through a scalar or beyond an array's end.
        """
        check_own_name(key, _KEY)
        check_json(value, _DOCUMENT)
        tokens = way(path)
        if not tokens:
            return await self._write(rules.put, (key, value, False, None), **options)
        asked = ["set", key, path, value]
        return await self._edit(asked, lambda held: with_value(held, tokens, value), **options)

    async def set_many(
        self,
        documents: Mapping[str, Any] | Iterable[tuple[str, Any]],
        **options: Unpack[WriteOptions],
    ) -> Commit:
        """Store several whole documents, given as a dict or as pairs; all or none."""
        found = named(documents, _KEY)
        for value in found.values():
            check_json(value, _DOCUMENT)
        return await self._part.execute(rules.put_many, found, **options)

    async def cas(
        self,
        key: str,
        value: Any,
        expected_version: int | None,
        **options: Unpack[WriteOptions],
    ) -> VersionedCommit:
        """Compare and set: store a whole document if it is at the expected version.

        Args:
            expected_version: As `JsonDocument.version`; None for one that is not there.

        Raises:
            VersionConflictError: It has another version; nothing was written.
        """
        check_own_name(key, _KEY)
        check_json(value, _DOCUMENT)
        if expected_version is not None:
            check_sequence(expected_version, "expected_version")
        return await self._write(rules.put, (key, value, True, expected_version), **options)

    async def merge(self, key: str, patch: Any, **options: Unpack[WriteOptions]) -> VersionedCommit:
        """Merge as RFC 7396 says: members replace members, null removes."""
        check_own_name(key, _KEY)
        check_json(patch, _DOCUMENT)
        asked = ["merge", key, patch]
        return await self._edit(asked, lambda held: merged(held, patch), **options)

    async def patch(
        self, key: str, operations: Iterable[Mapping[str, Any]], **options: Unpack[WriteOptions]
    ) -> VersionedCommit:
        """Apply a JSON patch (RFC 6902), all of it or nothing.

        Raises:
            PatchTestError: A ``test`` failed.
            JsonPatchError: It is no patch, or does not fit the document, or there is none.
        """
        check_own_name(key, _KEY)
        checked = checked_patch(operations)
        asked = ["patch", key, checked]
        return await self._edit(asked, lambda held: patched(key, _copied(held), checked), **options)

    async def delete(self, key: str, path: str = ROOT, **options: Unpack[WriteOptions]) -> bool:
        """Delete a document, or the value at a path; say whether it was there."""
        check_own_name(key, _KEY)
        tokens = way(path)
        if not tokens:
            return bool((await self._part.execute(rules.delete, key, **options)).events)

        def without(document: Any) -> Any:
            there = look(document, tokens) is not MISSING
            return without_value(document, tokens) if there else document

        return bool((await self._edit(["delete", key, path], without, **options)).events)

    async def _edit(
        self, asked: list[Any], change: rules.Edit, **options: Unpack[WriteOptions]
    ) -> VersionedCommit:
        return await self._write(rules.edit, (asked[1], change), asked, **options)

    async def _write(
        self, command: Any, params: Any, asked: Any = None, **options: Unpack[WriteOptions]
    ) -> VersionedCommit:
        return VersionedCommit.of(await self._part.execute(command, params, asked, **options))

    # -- reading ---------------------------------------------------------------------------------

    async def get(self, key: str, path: str = ROOT, default: Any = None) -> Any:
        """Return a document, or the one value at a path; ``default`` where there is none."""
        tokens = way(path)
        found = await self.entry(key)
        value = MISSING if found is None else look(found.value, tokens)
        return default if value is MISSING else value

    async def query(self, key: str, path: str) -> list[Any]:
        """Return every value of a document that a path leads to, as ``$..price``."""
        found = await self.entry(key)
        matches(path, None)  # so that a bad path is an error whether or not there is a document
        return [] if found is None else matches(path, found.value)

    async def entry(self, key: str) -> JsonDocument | None:
        """Return a document with its version, or None."""
        found = await self._part.get(LIVE + check_own_name(key, _KEY))
        return None if found is None else JsonDocument(key, found[1], found[0])

    async def get_many(self, keys: Iterable[str]) -> dict[str, Any]:
        """Return those documents that are there, as of one moment, in that order."""
        found = await self._part.get_many([LIVE + key for key in names(keys, _KEY)])
        return {key[len(LIVE) :]: value for key, (_, value) in found.items()}

    async def exists(self, key: str, path: str = ROOT) -> bool:
        """Say whether there is a document, or a value at a path, be it null."""
        return await self.get(key, path, MISSING) is not MISSING

    async def iter(
        self, prefix: str = "", *, limit: int | None = None, after: str | None = None
    ) -> AsyncIterator[tuple[str, Any]]:
        """Yield keys that begin with a prefix, and their documents, in order."""
        bound(limit, "limit")
        above = None if after is None else LIVE + checked_prefix(after, _KEY)
        found = self._part.under(LIVE + checked_prefix(prefix, _PREFIX), limit=limit, after=above)
        async for key, (_, value) in found:
            yield key[len(LIVE) :], value

    async def count(self, prefix: str = "") -> int:
        """Count the documents whose keys begin with a prefix."""
        return await self._part.count(LIVE + checked_prefix(prefix, _PREFIX))

    async def history(self, key: str, *, limit: int | None = None) -> list[JsonVersion]:
        """Return what the document was, the newest first; empty for one that never was there."""
        bound(limit, "limit")
        events = await self._part.history(check_own_name(key, _KEY))
        found: list[JsonVersion] = []
        document: Any = None
        deleted = True
        for event in reversed(events):
            changes = event.payload["changes"] if event.event_type == rules.CHANGED else None
            if changes is not None and deleted and not rules.makes_one(changes):
                continue  # another replica deleted it before
            deleted = event.event_type == rules.DELETED
            if changes is not None:
                document = changed(_copied(document), changes)
            else:
                document = event.payload.get("value")
            version = version_of(event)
            found.append(
                JsonVersion(document, version, deleted, event.space_sequence, event.timestamp)
            )
        return found[::-1][:limit]

    # -- indexes ---------------------------------------------------------------------------------

    async def create_index(self, field: str, **options: Unpack[WriteOptions]) -> bool:
        """Declare a field, a path to one value as ``$.user.age``, for `find`; say whether new.

        Scalars are indexed: null, booleans, numbers, text.
        """
        params = (field, _field(field))
        commit = await self._part.execute(rules.create_index, params, **options)
        return bool(commit.events)

    async def drop_index(self, field: str, **options: Unpack[WriteOptions]) -> bool:
        """Forget a declared field; say whether it was one."""
        _field(field)
        return bool((await self._part.execute(rules.drop_index, field, **options)).events)

    async def indexes(self) -> list[str]:
        """Return the declared fields, in order."""
        return sorted(await self._part.get(rules.INDEXES) or ())

    async def find(
        self, field: str, op: str, value: Any, *, limit: int | None = None
    ) -> list[tuple[str, Any]]:
        """Return (key, document) where a declared field compares so, by value and then by key.

        Args:
            op: ``eq ne lt lte gt gte`` with a value of the same kind, or ``in`` with a list.

        Raises:
            DataError: The field is not declared, or nothing compares so.
        """
        bound(limit, "limit")
        return await json_find.find(self._part, field, _field(field), op, value, limit)

    async def list(
        self, prefix: str = "", limit: int | None = None, after: str | None = None
    ) -> list[str]:
        """Return the keys that begin with a prefix, in order; see `KeyValues.list`."""
        bound(limit, "limit")
        if after is not None:
            checked_prefix(after, _KEY)
        below = checked_prefix(prefix, _PREFIX)
        return await self._part.keys(below, within=LIVE, limit=limit, after=after)


def _field(path: str) -> Tokens:
    tokens = way(path)
    json_find.check_field(path, tokens)
    return tokens


def _copied(document: Any) -> Any:
    if type(document) is dict:
        return {key: _copied(value) for key, value in document.items()}
    return [_copied(each) for each in document] if type(document) is list else document
