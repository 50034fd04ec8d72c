"""Operations on cells."""

from typing import Any, Final

from ramax.entry.operations.answer import (
    BOOL,
    INT,
    NAMES,
    TIME,
    VALUE,
    WROTE,
    listed,
    or_null,
    record,
)
from ramax.entry.operations.operation import (
    AFTER,
    LIMIT,
    PREFIX,
    VERSION,
    Document,
    Operation,
    Parameter,
    moment,
    wrote,
)

_NAME: Final = Parameter("name", "text", "The name of the cell, 1 to 900 bytes.")
_VALUE: Final = Parameter("value", "value", "Any value.")
_VERSION: Final = record(
    {
        "value": VALUE,
        "version": or_null(INT),
        "deleted": BOOL,
        "space_sequence": INT,
        "timestamp": TIME,
    }
)
_NUMBERED: Final = {**WROTE, "version": or_null(INT)}


async def _set(s: Any, **given: Any) -> Document:
    commit = await s.cells.set(**given)
    return wrote(commit, version=commit.version)


async def _init(s: Any, **given: Any) -> Document:
    commit = await s.cells.init(**given)
    return wrote(commit, version=commit.version)


async def _cas(
    s: Any, name: str, value: Any, expected_version: int | None = None, **options: Any
) -> Document:
    commit = await s.cells.cas(name, value, expected_version, **options)
    return wrote(commit, version=commit.version)


async def _get(s: Any, name: str) -> Document:
    cell = await s.cells.entry(name)
    if cell is None:
        return {"found": False, "value": None, "version": None}
    return {"found": True, "value": cell.value, "version": cell.version}


async def _delete(s: Any, name: str, **options: Any) -> Document:
    return {"deleted": await s.cells.delete(name, **options)}


async def _list(s: Any, **given: Any) -> Document:
    return {"names": await s.cells.list(**given)}


async def _history(s: Any, **given: Any) -> Document:
    return {
        "versions": [
            {
                "value": v.value,
                "version": v.version,
                "deleted": v.deleted,
                "space_sequence": v.space_sequence,
                "timestamp": moment(v.timestamp),
            }
            for v in await s.cells.history(**given)
        ]
    }


CELLS: Final = (
    Operation("cells_set", "Give a cell a value.", (_NAME, _VALUE), _set, _NUMBERED, writes=True),
    Operation(
        "cells_init",
        "Give a cell a value where it has none.",
        (_NAME, _VALUE),
        _init,
        _NUMBERED,
        writes=True,
    ),
    Operation(
        "cells_cas",
        "Give a cell a value if it has the expected version.",
        (_NAME, _VALUE, VERSION),
        _cas,
        _NUMBERED,
        writes=True,
    ),
    Operation(
        "cells_get",
        "Return the value of a cell and its version.",
        (_NAME,),
        _get,
        {"found": BOOL, "value": VALUE, "version": or_null(INT)},
    ),
    Operation("cells_delete", "Delete a cell.", (_NAME,), _delete, {"deleted": BOOL}, writes=True),
    Operation(
        "cells_list",
        "List the names of cells in order.",
        (PREFIX, LIMIT, AFTER),
        _list,
        {"names": NAMES},
    ),
    Operation(
        "cells_history",
        "Return what a cell held, the newest first.",
        (_NAME, LIMIT),
        _history,
        {"versions": listed(_VERSION)},
    ),
)
