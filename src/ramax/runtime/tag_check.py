"""Whether the index of tags finds those events of a space that have the tag, and no others."""

from collections.abc import Sequence

from ramax.core.tags import unpack_tags
from ramax.errors import DataError
from ramax.runtime.findings import Findings
from ramax.storage.executors import Executor, Row
from ramax.storage.lineage import base_of
from ramax.storage.tags import read_indexed, read_tag_page
from ramax.values import Space

_FIRST = ("", 0)


class TagCheck:
    """Goes over the pages of a log that somebody else reads, then over the index itself.

    What a fork has from before it was forked is looked at in the space that wrote it.
    """

    def __init__(self, space: Space, findings: Findings, page: int) -> None:
        self._space_id, self._findings, self._page = space.space_id, findings, page
        self._after = _FIRST

    def check(self, ex: Executor, rows: Sequence[Row]) -> None:
        """Name tags of these events that do not find them."""
        base = base_of(ex, self._space_id)
        wanted = {
            (row[2], tag)
            for row in rows
            if row[12] is not None and row[2] > base
            for tag in _tags(row[12])
        }
        if not wanted:
            return
        first, last = max(base + 1, rows[0][2]), rows[-1][2]
        tags = {tag for _, tag in wanted}
        found = read_indexed(ex, self._space_id, tags, after=first - 1, upto=last)
        for sequence, tag in sorted(wanted - found):
            self._add(f"event {sequence} has the tag {tag!r}, but is not found by it")

    def check_index(self, ex: Executor) -> bool:
        """Name tags in the next page of the index that no event has; say whether more may come."""
        rows = read_tag_page(ex, self._space_id, self._after, self._page)
        for tag, sequence, packed in rows:
            if tag not in _tags(packed):
                self._add(f"event {sequence} is found by the tag {tag!r}, which it does not have")
        if len(rows) < self._page:
            return False
        self._after = (rows[-1][0], rows[-1][1])
        return True

    def _add(self, message: str) -> None:
        self._findings.add("tags", message)


def _tags(packed: bytes | None) -> tuple[str, ...]:
    try:
        return unpack_tags(packed)
    except DataError:  # the check of the event names it
        return ()
