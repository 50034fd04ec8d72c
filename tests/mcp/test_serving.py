"""`ramax mcp` as a process of its own, over its pipes and over HTTP."""

import asyncio
import os
import subprocess
import sys

import pytest
from mcp import Client, StdioServerParameters

import ramax
from tests.mcp._clients import ask


@pytest.fixture
async def made_url(durable_url):
    async with ramax.connect(durable_url) as db:
        await (await db.content_store("s")).kv.put("k", "there")
    return durable_url


async def test_an_agent_begins_the_process_and_talks_to_it(made_url):
    command = StdioServerParameters(
        command=sys.executable,
        args=["-m", "ramax", "mcp", "--url", made_url, "--space", "s"],
        env=dict(os.environ),
    )
    mode = "legacy" if made_url.startswith("sqlite") else "auto"
    async with Client(command, mode=mode) as client:
        assert (await ask(client, "kv_get", key="k"))["value"] == "there"
        await ask(client, "set_space", space="mine")
        await ask(client, "kv_put", key="k", value="new")
        assert await ask(client, "list_spaces") == {"spaces": ["default", "mine", "s"]}
    async with ramax.connect(made_url) as db:
        assert await (await db.content_store("mine")).kv.get("k") == "new"


async def test_a_process_serves_http_until_it_is_interrupted(sqlite_url):
    async with ramax.connect(sqlite_url) as db:
        await (await db.content_store("s")).kv.put("k", "there")
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "ramax", "mcp", "--url", sqlite_url, "--http", "0", "--read-only",
        stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        assert process.stderr is not None
        line = (await process.stderr.readline()).decode()
        assert line.startswith("ramax: serving http://127.0.0.1:")
        async with Client(line.split()[-1]) as client:
            assert (await ask(client, "kv_get", key="k", space="s"))["value"] == "there"
    finally:
        process.terminate()
        await process.wait()
