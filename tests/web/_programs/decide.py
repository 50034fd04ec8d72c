"""Decides the commands of a space of a database, for anybody: ``decide.py URL PORT``."""

import asyncio
import sys

import uvicorn

import ramax
from ramax.sync import Decider
from ramax.web import Access, Asking, make_app
from tests.sync._booking import COMMANDS, booking


async def authorize(asking: Asking) -> Access | None:
    """Who has a token may have commands run; a guest may look on."""
    return {"ann": Access(commands=True), "bob": Access(commands=True), "guest": Access()}.get(
        asking.token or ""
    )


async def main(url: str, port: int) -> None:
    async with ramax.connect(url) as db:
        await (await db.content_store("plane", booking)).replica.enable()
        app = make_app(
            lambda name: ramax.SqlLayer(db, space=name),
            authorize,
            decide=Decider(lambda name: db.content_store(name, booking), COMMANDS),
        )
        config = uvicorn.Config(app, port=port, lifespan="off", log_level="error")
        await uvicorn.Server(config).serve()


asyncio.run(main(sys.argv[1], int(sys.argv[2])))
