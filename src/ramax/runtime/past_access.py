"""How data types reach a space as it was: everything can be read, nothing written."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice
from typing import NoReturn

from ramax.core.datatypes.datatype import DataType
from ramax.core.query import Search
from ramax.core.state import Packed
from ramax.errors import MisuseError
from ramax.runtime.access import is_replicated, read_in_order, read_window
from ramax.runtime.partition import Range, Window, Write, WriteOptions
from ramax.runtime.past import Past
from ramax.storage.executors import Row
from ramax.values import Commit


@dataclass(frozen=True, slots=True)
class PastAccess:
    """See `ramax.runtime.partition.Access`."""

    past: Past

    async def memory(self) -> None:
        """None: what is remembered is about now."""

    async def locate(self, at: int | datetime) -> NoReturn:
        """Refuse: a view of the past is about its own point."""
        raise MisuseError(f"as_of={at} in a view of the past; ask the store")

    async def is_replicated(self) -> bool:
        """Read it with one statement."""
        core, space = self.past.core, await self.past.core.resolve(self.past.space)
        return await core.read(lambda ex: is_replicated(ex, space.space_id))

    async def execute(
        self,
        datatype: DataType,
        write: Write,  # noqa: ARG002 - what every access takes
        options: WriteOptions,  # noqa: ARG002
    ) -> Commit:
        """Refuse: the past cannot be changed."""
        raise MisuseError(f"{datatype.name}: a view of the past is read-only")

    async def packed(self, keys: Sequence[str]) -> dict[str, Packed | None]:
        """Read values of the fold up to the point."""
        fold = await self.past.folded()
        return {key: fold.load(key) for key in keys}

    async def page(self, wanted: Range) -> Sequence[tuple[str, Packed]]:
        """Read a page of the fold up to the point."""
        fold = await self.past.folded()
        found = fold.between(wanted.low, wanted.high, wanted.after)
        if wanted.down:
            return list(found)[::-1][: wanted.limit]
        return list(islice(found, wanted.limit))

    async def count(self, prefix: str) -> int:
        """Count keys of the fold up to the point."""
        fold = await self.past.folded()
        return sum(1 for _ in fold.scan(prefix, ""))

    async def in_order(self, entity_id: str, upto: int) -> Sequence[int] | None:
        """Read those up to the point."""
        core, last = self.past.core, min(upto, (await self.past.point()).sequence)
        space = await core.resolve(self.past.space)
        return await core.read(lambda ex: read_in_order(ex, space.space_id, entity_id, last))

    async def matches(self, search: Search, wanted: Window) -> Sequence[Row]:
        """Read a page of the events up to the point."""
        upto = min(wanted.upto, (await self.past.point()).sequence)
        core = self.past.core
        space = await core.resolve(self.past.space)
        if not space.space_id:
            return ()
        bounded = replace(wanted, upto=upto)
        return await core.read(lambda ex: read_window(ex, space.space_id, search, bounded))
