"""The registry of spaces as users see it: ``db.spaces``."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, Literal

from ramax.core.fulltext.documents import declared
from ramax.core.limits import validate_space_name
from ramax.errors import DataError, MisuseError, SpaceExistsError, SpaceNotFoundError
from ramax.runtime import chain, text_search, text_worker
from ramax.runtime.core import Core, SpaceLike
from ramax.storage import deletion, locks, projections, spaces
from ramax.storage.executors import Executor
from ramax.storage.faults import UniqueViolationError
from ramax.storage.reads import PSTATE
from ramax.storage.spaces import DEFAULT, SYSTEM_PREFIX, UNSAVED_DEFAULT
from ramax.storage.stats import read_stats
from ramax.values import ChainHead, Progress, Space, SpaceStats


class SpaceRegistry:
    """Creates, finds, lists, renames and deletes spaces.

    `default` always exists: it is reported from the start, gets its row (and id) at the first
    write, and cannot be renamed or deleted. Names that begin with `_system_` are hidden.
    """

    def __init__(self, core: Core) -> None:
        self._core = core

    async def get_or_create(self, name: str, metadata: Mapping[str, Any] | None = None) -> Space:
        """Return the space of that name, made if it was not there; stored metadata wins.

        Raises:
            SpaceNameError: There is no such space and a new one may not have this name.
        """
        return await self._core.get_or_create(name, metadata)

    async def create(self, name: str, metadata: Mapping[str, Any] | None = None) -> Space:
        """Make a new space.

        Raises:
            SpaceExistsError: The name is taken.
            SpaceNameError: A new space may not have this name.
        """
        if validate_space_name(name) == DEFAULT:
            raise SpaceExistsError(name)
        now, branch = self._core.clock(), await self._core.branch()

        def work(ex: Executor) -> Space:
            made = spaces.create(ex, name, metadata, now, branch)
            if made is None:
                raise SpaceExistsError(name)
            return made

        return self._core.known_alone(await self._core.locked(f"creating space {name!r}", work))

    async def find_by_name(self, name: str) -> Space | None:
        """Return the space of that name, whatever today's rule for names is, or None."""
        return await self._core.find_by_name(name)

    async def find_by_id(self, space_id: int) -> Space | None:
        """Return the space of that id, or None."""
        return await self._core.find_by_id(space_id)

    async def get(self, name_or_id: SpaceLike) -> Space:
        """Return a space.

        Raises:
            SpaceNotFoundError: There is none of that name or id.
        """
        return await self._core.present(name_or_id)

    async def exists(self, name_or_id: str | int) -> bool:
        """Say whether there is a space of that name or id."""
        return await self._core.find(name_or_id) is not None

    async def list_all(self, prefix: str | None = None) -> list[Space]:
        """Return the spaces by id, `default` first while it has no row.

        Args:
            prefix: Only names that begin with it.
        """
        if prefix is not None and not isinstance(prefix, str):
            raise DataError("prefix of space names", prefix, "must be a str")
        if prefix and not spaces.is_storable_name(prefix):
            return []
        branch = await self._core.branch()
        found = await self._core.read(lambda ex: spaces.list_all(ex, prefix, branch))
        visible = [space for space in found if not space.space_name.startswith(SYSTEM_PREFIX)]
        if DEFAULT.startswith(prefix or "") and all(s.space_name != DEFAULT for s in visible):
            return [UNSAVED_DEFAULT, *visible]
        return visible

    async def rename(self, space: SpaceLike, name: str) -> Space:
        """Give a space another name; its id, events and handles stay.

        Raises:
            SpaceExistsError: The name is taken.
            SpaceNameError: The name is not allowed.
            SpaceNotFoundError: There is no such space.
        """
        validate_space_name(name)
        found = await self._core.resolve(space)
        if DEFAULT in (found.space_name, name):
            raise MisuseError(f"cannot rename {found.space_name!r} to {name!r}: 'default' is fixed")

        def work(ex: Executor) -> Space:
            locks.take_lock(ex, found.space_id, found.space_name)
            other = spaces.find_by_name(ex, name, found.branch_id)
            if other is not None and other.space_id != found.space_id:
                raise SpaceExistsError(name)
            spaces.rename(ex, found.space_id, name)
            locks.move_state_version(ex, found.space_id)  # cached names are stale now
            return _stored(ex, found)

        try:
            return await self._core.locked(f"renaming space {found.space_name!r}", work)
        except UniqueViolationError as error:
            raise SpaceExistsError(name) from error

    async def update_metadata(self, space: SpaceLike, metadata: Mapping[str, Any]) -> Space:
        """Replace the metadata of a space.

        Raises:
            SpaceNotFoundError: There is no such space.
            CodecError: The metadata cannot be stored.
        """
        found = await self._core.resolve(space)
        packed = spaces.pack_metadata(metadata, found.space_name)
        saved = await self._core.saved(found)

        def work(ex: Executor) -> Space:
            locks.take_lock(ex, saved.space_id, saved.space_name)
            spaces.set_metadata(ex, saved.space_id, packed)
            return _stored(ex, saved)

        return await self._core.locked(f"metadata of space {saved.space_name!r}", work)

    async def stats(self, space: SpaceLike | None = None) -> Any:
        """Count what a space holds, or what each space holds (a list by id), in one query.

        Raises:
            SpaceNotFoundError: There is no such space.
        """
        if space is None:
            found = await self._core.read(partial(read_stats, branch_id=await self._core.branch()))
            visible = [s for s in found if not s.space.space_name.startswith(SYSTEM_PREFIX)]
            if all(s.space.space_name != DEFAULT for s in visible):
                visible.insert(0, _nothing())
            return visible
        wanted = await self._core.resolve(space)
        if not wanted.space_id:
            return _nothing(wanted)
        counted = await self._core.read(lambda ex: read_stats(ex, wanted.space_id))
        if not counted:
            raise SpaceNotFoundError(wanted.space_name)
        return counted[0]

    async def enable_hash_chain(
        self, space: SpaceLike, *, progress: Callable[[Progress], object] | None = None
    ) -> ChainHead:
        """Link the events of a space by hashes: those that are there, and from now on each new one.

        Live writes go on meanwhile. Does nothing where there is a chain.

        Args:
            progress: Called after each page of events that are there.

        Returns:
            The newest hash; keep it elsewhere to prove later that nothing was changed.

        Raises:
            SpaceNotFoundError: There is no such space.
        """
        return await chain.enable(self._core, await self._core.saved(space), progress)

    async def disable_hash_chain(self, space: SpaceLike) -> None:
        """Forget the hashes of a space; its events stay as they are.

        Raises:
            SpaceNotFoundError: There is no such space.
        """
        await chain.disable(self._core, await self._core.saved(space))

    async def hash_chain_head(self, space: SpaceLike) -> ChainHead | None:
        """Return the newest hash of a space; None where it has no chain.

        Raises:
            SpaceNotFoundError: There is no such space.
        """
        found = await self._core.resolve(space)
        return await chain.head(self._core, found) if found.space_id else None

    async def enable_search(
        self,
        space: SpaceLike,
        *,
        types: Iterable[str] | None = None,
        fields: Mapping[str, Sequence[str]] | None = None,
        mode: Literal["inline", "async"] = "inline",
        progress: Callable[[Progress], object] | None = None,
    ) -> None:
        """Index the texts of a space: those that are there, and from now on every change with it.

        Live writes go on meanwhile. Does nothing where the same is indexed; what is indexed
        otherwise, or was interrupted, is made anew. A space that is not searched pays nothing.

        Args:
            types: Some of ``kv``, ``json`` and ``log``; all of them unless given.
            fields: Of the application's own values: names of fields by the prefix of the key,
                such as ``{"contact:": ["name", "notes"]}``; the longest prefix counts.
            mode: ``inline`` changes the index in the commit of what it is about; with ``async`` a
                commit only notes which keys wait, and `Database.run_text_index` indexes them.
            progress: Called after each page of keys that are there.

        Raises:
            SpaceNotFoundError: There is no such space.
            DataError: A type, a prefix or a list of fields is not one.
            ConflictError: Somebody else began the same meanwhile.
        """
        what = declared(None if types is None else list(types), fields, mode)
        found = await self._core.saved(space)
        await text_search.enable(self._core, found, what, progress)

    async def index_texts(self, space: SpaceLike) -> int:
        """Index the texts of a space that wait for it, now; return of how many keys.

        Only where search was enabled with ``mode="async"``; elsewhere nothing ever waits.

        Raises:
            SpaceNotFoundError: There is no such space.
        """
        found = await self._core.resolve(space)
        return await text_worker.index_waiting(self._core, found) if found.space_id else 0

    async def disable_search(self, space: SpaceLike) -> None:
        """Drop the index of a space's texts; what it holds stays as it is.

        Raises:
            SpaceNotFoundError: There is no such space.
        """
        await text_search.disable(self._core, await self._core.saved(space))

    async def delete(self, space: SpaceLike, *, force: bool = False) -> None:
        """Delete a space; with ``force`` everything in it goes, for good, in one transaction.

        Rows of projections go with it where this database knows their tables: by ``projections``
        of `connect`, or by a space that was opened with their domain.

        Raises:
            SpaceNotEmptyError: It ever had an event or has a key, and ``force`` is not given.
            SpaceNotFoundError: There is no such space.
            MisuseError: It is `default`.
        """
        found = await self._core.resolve(space)
        if found.space_name == DEFAULT:
            raise MisuseError("the space 'default' cannot be deleted")

        def work(ex: Executor) -> None:
            locks.take_lock(ex, found.space_id, found.space_name)
            deletion.delete(ex, found, force=force)
            projections.empty(ex, self._core.projected.values(), found.space_id)

        await self._core.locked(f"deleting space {found.space_name!r}", work)
        self._core.cache.forget(found.space_id)


def _stored(ex: Executor, space: Space) -> Space:
    found = spaces.find_by_id(ex, space.space_id)
    if found is None:
        raise SpaceNotFoundError(space.space_name)
    return found


def _nothing(space: Space = UNSAVED_DEFAULT) -> SpaceStats:
    return SpaceStats(space, 0, 0, {PSTATE: 0}, None, 0)
