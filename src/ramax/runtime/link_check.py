"""Whether the index of references says what the stored values of a space refer to."""

from ramax.core.decoding import links_in
from ramax.core.schema import Schema
from ramax.runtime.findings import Findings
from ramax.runtime.page_fold import facts_of
from ramax.storage.executors import Executor
from ramax.storage.links import END, differing_links
from ramax.storage.reads import packed
from ramax.storage.rebuild import read_stored
from ramax.values import Space

_TRIES = 20


class LinkCheck:
    """Compares a page of keys at a time; an index that is not in use is not looked at.

    A difference counts only where nobody wrote to the space between the reads of both.
    """

    def __init__(self, space: Space, schema: Schema, findings: Findings, page: int) -> None:
        self._space, self._schema = space, schema
        self._findings, self._page = findings, page
        self._after = ""

    def compare_page(self, ex: Executor) -> bool:
        """Compare the next keys; say whether there may be more."""
        after = self._after
        for _ in range(_TRIES):
            before = facts_of(ex, self._space).guard
            if before.indexed is None or before.indexed != self._schema.index:
                return False
            rows = read_stored(ex, self._space.space_id, after=after, limit=self._page)
            more = len(rows) == self._page
            self._after = rows[-1][0] if more else END
            links = {
                key: found
                for key, value, form, _direct in rows
                if (found := links_in(self._schema, key, packed(value, form)))
            }
            surplus, missing = differing_links(ex, self._space.space_id, after, self._after, links)
            if not surplus and not missing:
                break
            if facts_of(ex, self._space).guard[:2] == before[:2]:
                for key, link in surplus:
                    self._add(
                        f"the index says that field {link.field!r} of {key!r} refers to "
                        f"{link.target!r}, but it does not"
                    )
                for key, link in missing:
                    self._add(
                        f"field {link.field!r} of {key!r} refers to {link.target!r}, but "
                        "the index does not say so"
                    )
                break
        return more

    def _add(self, message: str) -> None:
        self._findings.add("pstate", message)
