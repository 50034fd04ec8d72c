"""What a space remembers of a merge, written down without one."""

import ramax
from ramax.core.merging.knowledge import Origin
from ramax.storage.executors import Executor
from ramax.storage.merges import COPIED, record


async def took_over(database: ramax.Database, space_id: int) -> None:
    """Remember that the first event is a copy, of a log that is known up to there."""
    gone = 900 + space_id

    def work(ex: Executor) -> None:
        record(ex, space_id, [(1, Origin(gone, 1), COPIED)], {gone: 1}, 1, 0)

    await database._core.locked("a test", work)
