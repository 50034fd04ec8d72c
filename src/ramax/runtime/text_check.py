"""Whether the index of a space's texts says what its stored values say, and finds it."""

from collections.abc import Mapping

from ramax.core.fulltext.documents import Searched, Text, text_of
from ramax.core.fulltext.tokens import tokens_of
from ramax.core.guard import Guard
from ramax.core.keys import prefix_end
from ramax.core.state import Packed
from ramax.errors import DataError
from ramax.runtime.findings import MAX_FINDINGS, Findings
from ramax.runtime.page_fold import facts_of
from ramax.storage.executors import Executor
from ramax.storage.reads import packed
from ramax.storage.rebuild import read_stored
from ramax.storage.text_check import (
    has_words,
    not_found_by_words,
    read_documents,
    words_of_nobody,
)
from ramax.storage.text_index import as_stored
from ramax.storage.text_waiting import read_waiting
from ramax.values import Space

_TRIES = 20
_END = prefix_end("")


class TextCheck:
    """Compares a page of keys at a time; each method runs in one unit of work.

    A difference counts only where nobody wrote to the space between the reads of both sides. An
    index that is still being made is not looked at.
    """

    def __init__(self, space: Space, findings: Findings, page: int) -> None:
        self._space, self._findings, self._page = space, findings, page
        self._after = ""

    def compare_page(self, ex: Executor) -> bool:
        """Compare the next keys; say whether there may be more."""
        after, more, found = self._after, False, list[str]()
        for _ in range(_TRIES):
            guard = facts_of(ex, self._space).guard
            what = guard.searched
            if what is not None and what.filling is not None:
                return False
            rows = read_stored(ex, self._space.space_id, after=after, limit=self._page)
            more = len(rows) == self._page
            self._after = rows[-1][0] if more else _END
            behind = self._behind(ex, what, after)
            values = {key: packed(value, form) for key, value, form, _direct in rows}
            wanted, found = _texts(what, values)
            found += self._compare(ex, after, wanted, behind)
            if not more:
                found += self._surplus_words(ex, what)
            if not found or self._unmoved(ex, guard, after, behind):
                break
        else:
            found = []  # it never stood still; a difference that stays is found by the next run
        for message in found:
            self._findings.add("search", message)
        return more

    def _behind(self, ex: Executor, what: Searched | None, after: str) -> frozenset[str]:
        """Return the keys of the page that wait to be indexed: nobody says that they are."""
        found: list[str] = []
        while what is not None and what.later and after < self._after:
            page = read_waiting(ex, self._space.space_id, after=after, limit=self._page)
            found += (key for key in page if key <= self._after)
            after = page[-1] if page else self._after
        return frozenset(found)

    def _unmoved(self, ex: Executor, before: Guard, after: str, behind: frozenset[str]) -> bool:
        guard = facts_of(ex, self._space).guard
        same = guard[:2] == before[:2] and guard.searched == before.searched
        return same and self._behind(ex, guard.searched, after) == behind

    def _compare(
        self, ex: Executor, after: str, wanted: dict[str, Text], behind: frozenset[str]
    ) -> list[str]:
        space_id, upto = self._space.space_id, self._after
        found = []
        right: dict[str, str] = {}
        for key, type_, text in read_documents(ex, space_id, after, upto):
            expected = wanted.pop(key, None)
            if key in behind:
                continue
            if expected is None:
                found.append(f"the index has a text of {key!r}, which is not there to be searched")
            elif (expected.type, expected.text) != (type_, text):
                found.append(f"the index has another text of {key!r} than is stored")
            else:
                right[key] = as_stored(ex.tables.dialect, space_id, tokens_of(text))
        found += [f"the index has no text of {key!r}" for key in wanted if key not in behind]
        if right and has_words(ex, space_id):
            missed = not_found_by_words(ex, space_id, after, upto, right)
            found += [f"{key!r} is not found by its words" for key in sorted(missed)]
        return found

    def _surplus_words(self, ex: Executor, what: Searched | None) -> list[str]:
        there = has_words(ex, self._space.space_id)
        if what is None or not there:
            return [] if what is None else ["the table of its words is not there"]
        rows = words_of_nobody(ex, self._space.space_id, MAX_FINDINGS)
        return [f"the index has words of a row {row}, which has no text" for row in rows]


def _texts(
    what: Searched | None, values: Mapping[str, Packed]
) -> tuple[dict[str, Text], list[str]]:
    """Return the texts that should be there, and what is wrong with the values of others."""
    texts: dict[str, Text] = {}
    wrong = []
    for key, value in values.items():
        try:
            text = None if what is None else text_of(what, key, value)
        except (DataError, TypeError, LookupError) as error:
            wrong.append(f"{key!r} has no value that can be read: {error}")
        else:
            if text is not None:
                texts[key] = text
    return texts, wrong
