"""Opening an old database so that nothing in it can stop an import any more."""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

from ramax.core.limits import validate_space_name
from ramax.errors import DataError, MisuseError
from ramax.legacy.inspection import LegacyReport, examine
from ramax.legacy.pages import in_thread
from ramax.legacy.records import BadRow, LegacySpace
from ramax.legacy.report import BadRowsError
from ramax.legacy.source import LegacySource, open_source


@dataclass(frozen=True, slots=True)
class Examined:
    """An open source of which every row can be taken over, and the new names by old space ids.

    ``report`` also names the rows that are left out of it.
    """

    source: LegacySource
    report: LegacyReport
    names: Mapping[int, str]


@asynccontextmanager
async def examined(
    *paths: str | PathLike[str],
    space: str | None = None,
    rename: Mapping[str, str] | None = None,
    skip_bad: bool = False,
    pstate_table: str | None = None,
) -> AsyncIterator[Examined]:
    """Open a source and decode every row; arguments and errors as of `import_legacy`."""

    def opened(leave_out: Collection[BadRow]) -> LegacySource:
        return stack.enter_context(
            open_source(
                *files,
                pstate_table=pstate_table,
                space_name=space or "default",
                leave_out=leave_out,
            )
        )

    if not paths:
        raise MisuseError("name the file to import")
    files = tuple(map(Path, paths))
    stack = ExitStack()
    try:
        source = await in_thread(lambda: opened(()))
        names = target_names(source.spaces, space, rename or {})
        found = await in_thread(lambda: examine(source, files))
        if found.bad_rows:
            if not skip_bad:
                raise BadRowsError(found.bad_rows)
            await in_thread(stack.close)
            source = await in_thread(lambda: opened(found.bad_rows))
        yield Examined(source, found, names)
    finally:
        await in_thread(stack.close)


def target_names(
    old: Sequence[LegacySpace], space: str | None, rename: Mapping[str, str]
) -> dict[int, str]:
    """Return the name that each space is to have, by its old id.

    Raises:
        DataError: A name is of no old space, or two would have the same.
        SpaceNameError: A new name is not allowed.
    """
    known = {each.space_name for each in old}
    there = ", ".join(repr(name) for name in sorted(known)) or "none"
    for name in rename:
        if name not in known:
            raise DataError(
                "space to rename", name, f"is not in the old database, which has {there}"
            )
    if space is not None and space not in known:
        rule = f"no row needs it: the old database names its spaces ({there}); rename them instead"
        raise DataError("space", space, rule)
    names: dict[int, str] = {}
    for each in old:
        new = rename.get(each.space_name)
        name = each.space_name if new is None else validate_space_name(new)
        if name in names.values():
            raise DataError("space name", name, "two spaces of the old database would have it")
        names[each.space_id] = name
    return names
