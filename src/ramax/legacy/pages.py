"""Reading an old database in pages, beside the event loop."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Final, TypeVar

from ramax.legacy.records import LegacyEvent, LegacyValue
from ramax.storage.cancellation import to_its_end

T = TypeVar("T")
R = TypeVar("R", LegacyEvent, LegacyValue)

PAGE: Final = 2000
"""Rows of one page at most."""

PAGE_BYTES: Final = 4 * 1024 * 1024
"""Bytes of payloads or values after which a page ends."""


async def in_thread(work: Callable[[], T]) -> T:
    """Run work in a thread, to its end even if the caller leaves: a file is not closed under it."""
    return await to_its_end(asyncio.to_thread(work))


async def pages(records: Iterator[R]) -> AsyncIterator[list[R]]:
    """Yield records in pages that are bounded by rows and by bytes; none is empty."""
    while page := await in_thread(lambda: take(records)):
        yield page


def take(records: Iterator[R]) -> list[R]:
    """Read the next page; an empty one is the end."""
    page: list[R] = []
    size = 0
    for record in records:
        page.append(record)
        size += len(record.payload if isinstance(record, LegacyEvent) else record.value)
        if len(page) >= PAGE or size >= PAGE_BYTES:
            break
    return page
