"""Serves every space of a database: ``serve.py URL PORT``; each token is that of one origin."""

import asyncio
import sys

import uvicorn

import ramax
from ramax.web import Access, Asking, make_app


async def authorize(asking: Asking) -> Access | None:
    """Bind whoever comes with a token to the first origin that comes with it."""
    if asking.token is None or asking.origin is None:
        return None if asking.token is None else Access()
    if _BOUND.setdefault(asking.token, asking.origin) != asking.origin:
        return Access()
    return Access(frozenset({asking.origin}))


_BOUND: dict[str, bytes] = {}


async def main(url: str, port: int) -> None:
    async with ramax.connect(url) as db:
        app = make_app(lambda name: ramax.SqlLayer(db, space=name), authorize)
        config = uvicorn.Config(app, port=port, lifespan="off", log_level="error")
        await uvicorn.Server(config).serve()


asyncio.run(main(sys.argv[1], int(sys.argv[2])))
