"""Migrating every stored value of a space to the shape that its domain declares, page by page."""

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ramax.core.decoding import renewed
from ramax.core.domain import Domain
from ramax.core.fold import check_fit
from ramax.core.schema import Schema
from ramax.core.state import unpack
from ramax.core.survey import survey
from ramax.errors import DataError, SpaceNotFoundError
from ramax.runtime.core import Core
from ramax.runtime.page_fold import facts_of
from ramax.storage import pstate
from ramax.storage.executors import Executor, Row
from ramax.storage.reads import packed, read_event_types
from ramax.storage.rebuild import read_stored
from ramax.values import Progress, Space

MAX_FAILURES = 100
"""Failures that a report names; the others are counted."""


@dataclass(slots=True)
class MigrationReport:
    """What a migration of all values did, or would do.

    ``keys`` were looked at, ``outdated`` had an older shape, ``written`` were rewritten: none in a
    dry run. ``failures`` ends at `MAX_FAILURES`, ``failure_count`` does not. The other four count
    keys by field, as ``card.tags``: ``changed``, ``lost`` (the field goes, and nothing that is
    declared has read it), ``emptied`` (it held something and then holds nothing), and ``unread``
    (it stays as it is, but nothing that is declared reads it).
    """

    dry_run: bool
    keys: int = 0
    outdated: int = 0
    written: int = 0
    failures: list[DataError] = field(default_factory=list)
    failure_count: int = 0
    changed: Counter[str] = field(default_factory=Counter)
    lost: Counter[str] = field(default_factory=Counter)
    emptied: Counter[str] = field(default_factory=Counter)
    unread: Counter[str] = field(default_factory=Counter)

    @property
    def loses_data(self) -> bool:
        """Whether what is stored says something that is not said any more afterwards."""
        return bool(self.lost or self.emptied)


async def migrate_state(
    core: Core,
    space: Space,
    domain: Domain,
    *,
    dry_run: bool,
    progress: Callable[[Progress], object] | None,
) -> MigrationReport:
    """Bring every stored value of a space to today's shape; commands and readers go on.

    Raises:
        DomainMismatchError: The pstate is the fold of other domains.
        SpaceNotFoundError: The space was deleted.
    """
    if core.watch is None:
        return await _migrate(core, space, domain, dry_run=dry_run, progress=progress)
    with core.watch.operation("migrate", space.space_name) as operation:
        report = await _migrate(core, space, domain, dry_run=dry_run, progress=progress)
        operation.facts["keys"] = report.keys
        return report


async def _migrate(
    core: Core,
    space: Space,
    domain: Domain,
    *,
    dry_run: bool,
    progress: Callable[[Progress], object] | None,
) -> MigrationReport:
    report = MigrationReport(dry_run)
    total = await core.read(lambda ex: _begin(ex, space, domain))
    started, after = time.monotonic(), ""
    more = True
    while more:
        rows = await core.read(
            lambda ex, after=after: read_stored(  # type: ignore[misc]
                ex, space.space_id, after=after, limit=core.options.page
            )
        )
        more = len(rows) == core.options.page
        after = rows[-1][0] if rows else after
        outdated = _look_at(rows, domain.schema, report)
        if not dry_run:
            report.written += await _write(core, space, outdated, domain.schema)
        if progress is not None:
            progress(Progress(report.keys, max(total, report.keys), time.monotonic() - started))
    return report


def _begin(ex: Executor, space: Space, domain: Domain) -> int:
    guard = facts_of(ex, space).guard
    check_fit(
        domain,
        guard.domains,
        guard.checkpoint,
        space.space_name,
        lambda upto: read_event_types(ex, space.space_id, upto),
    )
    count = pstate.read_count(ex, space.space_id, "")
    if count is None:
        raise SpaceNotFoundError(space.space_name)
    return count


def _look_at(rows: Sequence[Row], schema: Schema, report: MigrationReport) -> list[str]:
    """Count what becomes of a page, and return the keys that have to be rewritten."""
    outdated = []
    for key, value, form, _direct in rows:
        report.keys += 1
        entity = schema.entity_of(key)
        if entity is None:
            continue
        stored = packed(value, form)
        try:
            found = survey(entity, key, unpack(stored))
            if renewed(schema, key, stored) is not None:
                outdated.append(key)
        except DataError as error:
            report.failure_count += 1
            if len(report.failures) < MAX_FAILURES:
                report.failures.append(error)
            continue
        for counts, fields in zip(
            (report.changed, report.lost, report.emptied, report.unread), found, strict=True
        ):
            counts.update(f"{entity.name}.{name}" for name in fields)
    report.outdated += len(outdated)
    return outdated


async def _write(core: Core, space: Space, keys: Sequence[str], schema: Schema) -> int:
    """Rewrite keys, a batch per transaction so that commands are held up for moments only."""
    batch, written = core.options.write_back.batch, 0
    for at in range(0, len(keys), batch):
        wanted: Mapping[str, Any] = dict.fromkeys(keys[at : at + batch], schema)
        done = await core.write_back.write(space.space_id, space.space_name, wanted)
        written += len(done.written)
    return written
