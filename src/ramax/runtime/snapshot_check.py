"""Whether the snapshots of a space are what its events make of them: an old fold version lies."""

from ramax.core.domain import Domain
from ramax.core.equality import same_value
from ramax.core.state import unpack
from ramax.runtime.core import Core
from ramax.runtime.findings import Findings
from ramax.runtime.past_fold import PastFold
from ramax.storage.snapshots import Fold, Stored, read_chunk, read_of_fold
from ramax.storage.spill import Spill
from ramax.values import Space


async def check_snapshots(core: Core, space: Space, domain: Domain, findings: Findings) -> None:
    """Fold the events once more, up to each snapshot of the domain's version, and compare.

    Raises:
        FoldError: An applicator failed.
    """
    whose = Fold.of(domain.fold_versions)
    found = await core.read(lambda ex: read_of_fold(ex, space.space_id, whose))
    values = Spill(core.options.rebuild_memory)
    fold = PastFold(domain, space, core.options.page, values)
    try:
        for snapshot in found:
            upto = snapshot.sequence
            while fold.sequence < upto:
                await core.read_whole(lambda ex, upto=upto: fold.fold_page(ex, upto))  # type: ignore[misc]
            if not await _same(core, fold, snapshot, whose):
                findings.add(
                    "snapshot",
                    f"the snapshot as of event {upto} is not what the events make it; prune it, "
                    "and change the fold_version",
                )
    finally:
        values.close()


async def _same(core: Core, fold: PastFold, snapshot: Stored, whose: Fold) -> bool:
    walk, space_id = fold.walk(), fold.space.space_id
    for chunk in range(snapshot.chunk_count):
        rows = await core.read(
            lambda ex, at=chunk: read_chunk(ex, space_id, snapshot.sequence, whose, at)  # type: ignore[misc]
        )
        if rows is None:  # pruned meanwhile
            return True
        for key, value in rows.items():
            wanted = next(walk, None)
            if wanted is None or wanted[0] != key:
                return False
            if wanted[1] != value and not same_value(unpack(wanted[1]), unpack(value)):
                return False
    return next(walk, None) is None
