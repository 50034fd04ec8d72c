"""The throw-away PostgreSQL server: it serves, and it never outlives the tests."""

import os
import select
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import create_async_engine

from tests._postgres import Server, find_programs

pytestmark = pytest.mark.postgres

PARENT = """
import sys
from tests._postgres import Server
server = Server()
print(server.pid, server._guardian.pid, server.folder, flush=True)
sys.stdin.read()
"""


@pytest.fixture(scope="session")
def programs() -> Path:
    found = next(find_programs(), None)
    if found is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)("no PostgreSQL programs here")
    return found


@pytest.fixture
def server(programs: Path) -> Iterator[Server]:
    server = Server(programs)
    yield server
    server.stop()


async def ask(server: Server, query: str) -> list[object]:
    engine = create_async_engine(server.url())
    async with engine.connect() as connection:
        row = (await connection.execute(sa.text(query))).one()
    await engine.dispose()
    return list(row)


async def test_it_serves_until_it_is_stopped(server: Server) -> None:
    assert await ask(server, "SELECT 40 + 2, 'B' < 'a'") == [42, True]
    server.stop()
    assert not runs(server.pid)
    assert not server.folder.exists()
    server.stop()


async def test_it_stops_while_a_client_is_connected(server: Server) -> None:
    engine = create_async_engine(server.url())
    connection = await engine.connect()
    server.stop()
    assert not runs(server.pid)
    await connection.invalidate()
    await connection.close()
    await engine.dispose()


async def test_only_a_durable_server_waits_for_the_disk(server: Server, programs: Path) -> None:
    query = "SELECT current_setting('fsync'), current_setting('synchronous_commit')"
    assert await ask(server, query) == ["off", "off"]
    durable = Server(programs, durable=True)
    try:
        assert await ask(durable, query) == ["on", "on"]
    finally:
        durable.stop()


@pytest.mark.parametrize("broken", ["initdb", "postgres"])
def test_a_start_that_fails_says_why_and_leaves_nothing(tmp_path: Path, broken: str) -> None:
    programs = tmp_path / "package" / "pginstall" / "bin"
    programs.mkdir(parents=True)
    for name in ("initdb", "postgres"):
        complaint = "echo no room in $HOME; exit 1" if name == broken else "exit 0"
        (programs / name).write_text(f"#!/bin/sh\n{complaint}\n")
        (programs / name).chmod(0o755)
    with pytest.raises(RuntimeError, match="no room in") as failure:
        Server(programs)
    assert not Path(str(failure.value).split()[-1]).exists()


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="concerns root only")
async def test_root_can_use_a_wheel_below_a_private_folder(programs: Path, tmp_path: Path) -> None:
    install = programs.parent
    if install.name != "pginstall":
        pytest.skip("these programs are not a wheel's")
    package = tmp_path / install.parent.name
    shutil.copytree(install, package / install.name)
    shutil.copytree(f"{install.parent}.libs", f"{package}.libs")
    tmp_path.chmod(0o700)
    server = Server(package / install.name / programs.name)
    try:
        assert await ask(server, "SELECT 1") == [1]
    finally:
        server.stop()


def test_the_named_programs_are_the_only_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAMAX_TEST_POSTGRES_BIN", "/somewhere/bin")
    assert list(find_programs()) == [Path("/somewhere/bin")]


@pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="needs process descriptors (Linux)")
@pytest.mark.parametrize("ending", [signal.SIGKILL, signal.SIGTERM])
def test_it_ends_with_its_parent(programs: Path, ending: signal.Signals) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PARENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        pid, guardian, folder = parent.stdout.readline().split()
        assert runs(int(pid))
        end_of_guardian = os.pidfd_open(int(guardian))
        parent.send_signal(ending)
    assert select.select([end_of_guardian], [], [], 30)[0], "it still runs"
    os.close(end_of_guardian)
    assert not runs(int(pid))
    assert not Path(folder).exists()


def runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
