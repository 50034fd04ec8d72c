"""A space is carried to a folder or another database, and back; status says how far they are."""

import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import ramax
from tests.cli.command import ROOT, fail, on, read, run, succeed


@pytest.fixture
def notes_url(demo_url: str) -> str:
    on(demo_url, three)
    return demo_url


@pytest.fixture
def notes_file(demo_file: str) -> str:
    on(demo_file, three)
    return demo_file


async def three(db: ramax.Database) -> None:
    store = await db.content_store("notes")
    for key in "xyz":
        await store.kv.put(key, 1)


async def two_more(db: ramax.Database) -> None:
    store = await db.content_store("notes")
    await store.kv.put("a", 1)
    await store.kv.put("b", {"of": "ä"})


async def values(db: ramax.Database) -> dict[str, object]:
    return await (await db.content_store("notes")).kv.get_many(["a", "b"])


async def log(db: ramax.Database) -> list[object]:
    store = await db.content_store("notes")
    return [
        (e.event_type, e.entity_id, e.payload, e.timestamp)
        async for e in store.events.stream_space_events()
    ]


async def create(db: ramax.Database) -> None:
    """The schema, and nothing in it."""


def test_a_backup_in_a_folder_is_made_and_restored(notes_url: str, tmp_path: Path):
    folder = tmp_path / "backup" / "acme"
    assert succeed("spaces", "push", "notes", str(folder), "--url", notes_url).startswith(
        "pushed 3 events"
    )
    on(notes_url, two_more)
    said = succeed("spaces", "push", "notes", str(folder), "--url", notes_url)
    assert said.startswith("pushed 2 events")
    assert succeed("spaces", "push", "notes", str(folder), "--url", notes_url).startswith(
        "pushed 0 events"
    )
    restored = f"sqlite:///{tmp_path / 'restored.db'}"
    on(restored, create)
    said = succeed("spaces", "pull", "notes", str(folder), "--url", restored)
    assert said.startswith("pulled 5 events")
    assert on(restored, values) == {"a": 1, "b": {"of": "ä"}}
    assert on(restored, log) == on(notes_url, log)
    said = succeed("spaces", "pull", "notes", str(folder), "--url", restored)
    assert said.startswith("pulled 0 events")


def test_a_database_is_a_place_as_well_and_status_tells_how_far(notes_file: str, tmp_path: Path):
    other = f"sqlite:///{tmp_path / 'other.db'}"
    assert read("spaces", "status", "notes", "--url", notes_file) == []
    succeed("spaces", "push", "notes", other, "--url", notes_file)
    on(notes_file, two_more)
    (status,) = read("spaces", "status", "notes", "--url", notes_file)
    assert (status["behind"], status["refused"], status["last_error"]) == (2, 0, None)
    assert status["layer_id"].endswith("other.db")
    table = succeed("spaces", "status", "notes", "--url", notes_file)
    assert table.splitlines()[0].split()[:2] == ["layer", "behind"]
    succeed("spaces", "push", "notes", other, "--url", notes_file)
    assert on(other, values) == {"a": 1, "b": {"of": "ä"}}


def test_what_cannot_be_carried_is_said_and_nothing_is_made(notes_file: str, tmp_path: Path):
    empty = tmp_path / "empty"
    assert "no space 'new'" in fail("spaces", "pull", "new", str(empty), "--url", notes_file)
    assert "no space 'new'" in fail("spaces", "push", "new", str(empty), "--url", notes_file)
    assert not empty.exists()
    assert "new" not in [s["space_name"] for s in read("spaces", "list", "--url", notes_file)]
    backup = tmp_path / "backup"
    succeed("spaces", "push", "notes", str(backup), "--url", notes_file)
    said = fail("spaces", "push", "crm_acme", str(backup), "--url", notes_file)
    assert "another space" in said
    on(notes_file, other_space)
    said = fail("spaces", "pull", "own", str(backup), "--url", notes_file)
    assert "events of its own" in said


async def other_space(db: ramax.Database) -> None:
    await (await db.content_store("own")).kv.put("a", 1)


def test_a_file_is_no_folder(notes_file: str, tmp_path: Path):
    file = tmp_path / "app.db"
    file.write_bytes(b"x")
    done = run("spaces", "push", "notes", str(file), "--url", notes_file)
    assert (done.exit_code, "is a file" in done.output) == (2, True)


def test_a_folder_that_lost_a_file_gets_it_again(notes_file: str, tmp_path: Path):
    backup = tmp_path / "backup"
    succeed("spaces", "push", "notes", str(backup), "--url", notes_file)
    shutil.rmtree(backup / "origins")
    said = succeed("spaces", "push", "notes", str(backup), "--url", notes_file)
    assert said.startswith("pushed 3 events")


@contextmanager
def server(url: str) -> Iterator[int]:
    """Serve the spaces of a database by a process of its own; yield its port."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = int(taken.getsockname()[1])
    program = ROOT / "tests" / "web" / "_programs" / "serve.py"
    with subprocess.Popen([sys.executable, str(program), url, str(port)]) as process:
        try:
            until = time.monotonic() + 60
            while time.monotonic() < until and process.poll() is None:
                with socket.socket() as trying:
                    if not trying.connect_ex(("127.0.0.1", port)):
                        break
            yield port
        finally:
            process.kill()


def test_a_server_is_a_place_as_well(notes_file: str, tmp_path: Path):
    """Over WebSockets one way, over plain HTTP the other, and back to who pushed."""
    served, restored = (f"sqlite:///{tmp_path / name}.db" for name in ("served", "restored"))
    for each in (served, restored):
        on(each, create)
    with server(served) as port:
        socket_url, url = f"ws://127.0.0.1:{port}/socket", f"http://127.0.0.1:{port}"
        known = {"RAMAX_TOKEN": "ann"}
        said = fail("spaces", "push", "notes", socket_url, "--url", notes_file)
        assert "no access" in said
        said = succeed("spaces", "push", "notes", socket_url, "--url", notes_file, env=known)
        assert said.startswith("pushed 3 events")
        on(notes_file, two_more)
        said = succeed("spaces", "push", "notes", url, "--url", notes_file, "--token", "ann")
        assert said.startswith("pushed 2 events")
        said = succeed("spaces", "pull", "notes", url, "--url", restored, "--token", "bob")
        assert said.startswith("pulled 5 events")
        assert on(restored, values) == {"a": 1, "b": {"of": "ä"}}
        said = fail("spaces", "push", "notes", url, "--url", restored, "--token", "ann")
        assert "only be read" in said  # the token is that of another device
    said = fail("spaces", "pull", "notes", url, "--url", restored, "--token", "bob")
    assert "127.0.0.1" in said
