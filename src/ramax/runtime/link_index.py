"""Making the index of references of a space anew: when it is first asked for, and by rebuilds."""

from collections.abc import Iterable

from ramax.core.decoding import links_in
from ramax.core.entity import Link
from ramax.core.schema import Schema
from ramax.core.state import Packed
from ramax.runtime.core import Core
from ramax.runtime.page_fold import facts_of
from ramax.storage.executors import Executor
from ramax.storage.links import END, set_indexed, sync_links
from ramax.storage.locks import move_state_version, take_lock
from ramax.storage.reads import packed
from ramax.storage.rebuild import read_stored
from ramax.values import Space


class IndexBuild:
    """Brings the index to what values refer to, given in key order; the space is locked."""

    def __init__(self, ex: Executor, space: Space, schema: Schema) -> None:
        self._ex, self._space, self._schema = ex, space, schema
        self._after = ""

    def add(self, values: Iterable[tuple[str, Packed]]) -> None:
        """Take the next values; what the index says of keys before the last one is right then."""
        found = [(key, links_in(self._schema, key, value)) for key, value in values]
        if found:
            self._sync(found[-1][0], {key: links for key, links in found if links})

    def end(self) -> None:
        """Say that there are no more values, and that the index is complete."""
        self._sync(END, {})
        set_indexed(self._ex, self._space.space_id, self._schema.index)

    def _sync(self, upto: str, links: dict[str, frozenset[Link]]) -> None:
        sync_links(self._ex, self._space.space_id, self._after, upto, links)
        self._after = upto


async def make_index(core: Core, space: Space, schema: Schema) -> None:
    """Index the references of every stored value, where that is not done yet.

    Raises:
        SpaceNotFoundError: The space was deleted.
    """
    await core.locked(
        f"indexing the references of space {space.space_name!r}",
        lambda ex: _make(ex, space, schema, core.options.page),
    )
    core.cache.forget(space.space_id)


def _make(ex: Executor, space: Space, schema: Schema, page: int) -> None:
    take_lock(ex, space.space_id, space.space_name)
    if facts_of(ex, space).guard.indexed == schema.index:
        return  # somebody was first
    build, after, more = IndexBuild(ex, space, schema), "", True
    while more:
        rows = read_stored(ex, space.space_id, after=after, limit=page)
        build.add([(key, packed(value, form)) for key, value, form, _direct in rows])
        more = len(rows) == page
        after = rows[-1][0] if rows else after
    build.end()
    # decisions that are on their way know nothing of the index: they have to be made again
    move_state_version(ex, space.space_id)
