"""Does one long work, and freezes where something is written and not committed: URL WORK WHERE

WORK is `inline` or `async` (projections), `chain` or `search` (both made for what is there), or
`later` (texts that wait to be indexed). WHERE
is `within` a transaction that has written, or, of the latter two, `between` two of them.
"""

import asyncio
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import ramax
from ramax.runtime import chain as chains
from ramax.runtime import text_worker
from ramax.storage import append_postgres, backend, chain, projections, text_index
from tests._domains import documents
from tests._orders import add, shop

PAGE = 20
PINNED: dict[str, list[tuple[Any, str]]] = {
    "inline": [(backend, "write_sqlite"), (append_postgres, "_write")],  # the latter commits
    "async": [(projections, "run")],
    "chain": [(chain, "hash_page")],
    "search": [(text_index, "index_now")],
    "later": [(text_index, "index_now")],
}


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def freeze(where: str) -> None:
    say(where)
    time.sleep(100)  # the whole process: nothing rolls back, no lease is prolonged


def pin(module: Any, name: str, calls: int) -> None:
    """Freeze when the real function has done its work so many times."""
    real: Callable[..., Any] = getattr(module, name)
    left = calls

    def pinned(*args: Any, **kwargs: Any) -> Any:
        nonlocal left
        made = real(*args, **kwargs)
        left -= 1
        if not left:
            freeze("within")
        return made

    setattr(module, name, pinned)


async def project(db: ramax.Database, mode: str) -> None:
    inline = mode == "inline"
    store = await db.content_store("acme", shop("inline" if inline else "async"))
    if inline:
        await store.execute(add, ("placed", ["new"]), idempotency_key="new")
    else:
        await store.run_projections(follow=False, lease=0.3, poll_interval=0.02)


async def fill(db: ramax.Database, work: str, where: str) -> None:
    await db.content_store("acme", documents())
    db._core.options = replace(db._core.options, page=PAGE)
    chains._TAIL = PAGE

    def progress(done: ramax.Progress) -> None:
        if where == "between" and done.done >= 2 * PAGE:
            freeze(where)

    if work == "chain":
        await db.spaces.enable_hash_chain("acme", progress=progress)
    else:
        await db.spaces.enable_search("acme", fields={"doc:": ["text"]}, progress=progress)


async def main(url: str, work: str, where: str) -> None:
    async with ramax.connect(url, lock_timeout=60) as db:
        if where == "within":
            for module, name in PINNED[work]:
                pin(module, name, 2 if work in ("chain", "search", "later") else 1)
        say("ready")
        if work == "later":
            text_worker.PAGE = PAGE
            await db.run_text_index(poll_interval=0.02)
        elif work in ("chain", "search"):
            await fill(db, work, where)
        else:
            await project(db, work)


asyncio.run(main(*sys.argv[1:]))
