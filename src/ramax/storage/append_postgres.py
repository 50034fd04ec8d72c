"""Writes a plan on PostgreSQL: one statement, which commits by itself in autocommit."""

from collections.abc import Sequence
from typing import Any

from ramax.core.unit import SpaceWrite
from ramax.storage.append_statement import write_many_spaces, write_one_space
from ramax.storage.executors import Executor
from ramax.storage.plan import WritePlan, Written

_EVENT = (
    "e_sequence",
    "e_entity_id",
    "e_event_type",
    "e_payload",
    "e_stamp",
    "e_causation_id",
    "e_correlation_id",
    "e_metadata",
    "e_version",
    "e_tags",
)


def write_postgres(ex: Executor, plan: WritePlan) -> dict[int, Written]:
    """Write every space whose guard still holds and which nobody holds locked.

    Returns:
        Space id to what its events got; a space that is absent is locked, lost or gone.
    """
    if plan.extras:
        return ex.atomically(lambda: _write(ex, plan))
    return _write(ex, plan)


def _write(ex: Executor, plan: WritePlan) -> dict[int, Written]:
    ids: dict[int, dict[int, int]] = {}
    if len(plan.spaces) == 1:
        statement, params = write_one_space, _one_space(plan.spaces[0])
    else:
        statement, params = write_many_spaces, _many_spaces(plan.spaces)
    params |= {"token": plan.token, "now": plan.now}
    for space_id, event_id, sequence in ex.rows(statement, params):
        found = ids.setdefault(space_id, {})
        if sequence is not None:
            found[sequence] = event_id
    for extra in plan.extras:
        rows = [row for row in extra.rows if row["space_id"] in ids]
        if rows:
            ex.run_many(extra.statement, rows)
    return {space_id: Written(found) for space_id, found in ids.items()}


def _guard(w: SpaceWrite) -> tuple[int | None, ...]:
    return (
        w.space_id,
        w.guard.last_sequence,
        w.guard.state_version,
        w.last_sequence,
        w.guard.state_version + w.version_step,
        max(w.last_timestamp, w.guard.last_timestamp),
        w.checkpoint,
        w.checkpoint_event_id,
    )


_GUARD = (
    "n_space_id",
    "n_base",
    "n_version",
    "n_head",
    "n_new_version",
    "n_stamp",
    "n_folded",
    "n_folded_id",
)


def _columns(names: Sequence[str], rows: Sequence[Sequence[Any]]) -> dict[str, Any]:
    """Turn rows into one list for each name."""
    columns = [list(column) for column in zip(*rows, strict=True)] or [[] for _ in names]
    return dict(zip(names, columns, strict=True))


def _one_space(w: SpaceWrite) -> dict[str, Any]:
    params: dict[str, Any] = dict(zip(_GUARD, _guard(w), strict=True))
    params |= _columns(_EVENT, w.events)
    keys = sorted(w.puts)
    params["k_key"], params["k_value"] = keys, [w.puts[key] for key in keys]
    params["d_key"] = w.deletes
    return params


def _many_spaces(spaces: Sequence[SpaceWrite]) -> dict[str, Any]:
    params = _columns(_GUARD, [_guard(w) for w in spaces])
    params |= _columns(
        ("e_space_id", *_EVENT), [(w.space_id, *r) for w in spaces for r in w.events]
    )
    puts = [(w.space_id, key, w.puts[key]) for w in spaces for key in sorted(w.puts)]
    params |= _columns(("k_space_id", "k_key", "k_value"), puts)
    params |= _columns(
        ("d_space_id", "d_key"), [(w.space_id, k) for w in spaces for k in w.deletes]
    )
    return params
