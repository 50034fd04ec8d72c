"""What is around a database goes wrong: addresses, folders, files, rights, disks."""

import hashlib
import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import URL
from sqlalchemy.ext.asyncio import create_async_engine

import ramax
from ramax import DataError, RamaxError, StorageError
from tests._domains import add, counter, documents, put
from tests._tables import dump

# -- addresses -----------------------------------------------------------------------------------

NO_ADDRESS: list[Any] = [
    "",
    "://",
    "mysql://localhost/app",
    "postgresql+psycopg://localhost/app",
    "sqlite+pysqlite:///app.db",
    "oracle://x",
    "postgresql://me:secret@host:port/app",
    "http://me:secret@host/app",
    "a\x00b",
    "sqlite:///a\x00b",
    5,
    b"app.db",
    ["app.db"],
    ...,
    True,
]


@pytest.mark.parametrize("target", NO_ADDRESS, ids=repr)
async def test_an_address_that_is_none_is_refused_and_no_password_is_shown(target):
    before = set(Path().iterdir())
    with pytest.raises(DataError) as caught:
        await ramax.connect(target)
    assert "secret" not in str(caught.value)
    assert caught.value.rule in str(caught.value)
    assert set(Path().iterdir()) == before


async def test_a_server_that_is_not_there_is_a_storage_error_without_the_password():
    for host in ("127.0.0.1:1", "host.invalid"):
        with pytest.raises(StorageError) as caught:
            await ramax.connect(f"postgresql://me:secret@{host}/app", connect_args={"timeout": 5})
        assert "secret" not in str(caught.value)


@pytest.mark.postgres
async def test_a_database_that_is_not_on_the_server_is_named(postgres_url):
    url = sa.make_url(postgres_url).set(database="no_such_database")
    with pytest.raises(StorageError, match="no_such_database"):
        await ramax.connect(url)


async def test_a_path_or_url_in_any_form_opens_the_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "app.db"
    async with ramax.connect(path) as db:
        await (await db.content_store("acme", counter())).execute(add)
    for target in (
        "app.db",
        "./app.db",
        str(path),
        path,
        f"sqlite:///{path}",
        f"sqlite+aiosqlite:///{path}",
        URL.create("sqlite", database=str(path)),
    ):
        async with ramax.connect(target) as db:
            assert (await db.spaces.stats("acme")).event_count == 1
    assert sorted(f.name for f in tmp_path.iterdir()) == ["app.db"]


async def test_awkward_file_names_are_files(tmp_path):
    for name in ("a b.db", "ä☕.db", "100%.db", "a?b.db", "a#b.db", "-x.db", "it's.db", "memory"):
        async with ramax.connect(tmp_path / name) as db:
            await db.spaces.create("acme")
        async with ramax.connect(tmp_path / name, read_only=True) as db:
            assert await db.spaces.exists("acme")
        assert (tmp_path / name).exists()


async def test_in_memory_every_database_is_another():
    for target in (None, "sqlite://", "sqlite:///:memory:", ":memory:"):
        async with ramax.connect(target) as one, ramax.connect(target) as other:
            await one.spaces.create("acme")
            assert not await other.spaces.exists("acme")
    assert not Path(":memory:").exists()


# -- folders and files ---------------------------------------------------------------------------


async def test_a_missing_folder_is_named_and_not_made(tmp_path):
    with pytest.raises(StorageError, match="'.*missing'"):
        await ramax.connect(tmp_path / "missing" / "app.db")
    assert list(tmp_path.iterdir()) == []


async def test_a_folder_is_no_database(tmp_path):
    with pytest.raises(StorageError, match="folder"):
        await ramax.connect(tmp_path)


@pytest.mark.parametrize("content", [b"no database at all\n" * 100, os.urandom(8192), b"no"])
@pytest.mark.parametrize("options", [{}, {"read_only": True}, {"upgrade": True}], ids=repr)
async def test_a_file_that_is_no_database_is_left_as_it_is(tmp_path, content, options):
    path = tmp_path / "notes.txt"
    path.write_bytes(content)
    with pytest.raises(StorageError):
        await ramax.connect(path, **options)
    assert path.read_bytes() == content
    assert [f.name for f in tmp_path.iterdir()] == ["notes.txt"]


async def test_an_empty_file_becomes_a_database(tmp_path):
    path = tmp_path / "app.db"
    path.touch()
    with pytest.raises(StorageError):
        await ramax.connect(path, read_only=True)
    async with ramax.connect(path) as db:
        assert (await db.spaces.create("acme")).space_id == 1


async def test_a_damaged_database_is_a_storage_error(tmp_path):
    path = tmp_path / "app.db"
    async with ramax.connect(path) as db:
        store = await db.content_store("acme", documents())
        await store.execute(put, ("a", {"text": "x" * 50_000}))
    data = bytearray(path.read_bytes())
    data[4096:] = os.urandom(len(data) - 4096)
    path.write_bytes(data)
    with pytest.raises(StorageError):
        async with ramax.connect(path) as db:
            await db.spaces.list_all()
            await (await db.content_store("acme", documents())).pstate.fetch("a")


# -- rights --------------------------------------------------------------------------------------


async def writes(db: ramax.Database) -> list[Any]:
    store = await db.content_store("acme", counter())

    async def transact() -> None:
        async with store.transaction() as tx:
            await tx.execute(add)

    return [
        lambda: store.execute(add),
        lambda: store.execute_many([(add, 1)]),
        lambda: store.events.append("n", "added", {"by": 1}),
        lambda: store.pstate.put("k", 1),
        lambda: store.pstate.delete("direct"),
        lambda: store.update_checkpoint(1, name="reader"),
        lambda: store.rebuild_pstate(),
        lambda: db.spaces.create("other"),
        lambda: db.content_store("other"),
        lambda: db.spaces.rename("acme", "other"),
        lambda: db.spaces.update_metadata("acme", {"a": 1}),
        lambda: db.spaces.delete("acme", force=True),
        lambda: db.events.append("default", "e", "t", {}),
        transact,
    ]


async def test_a_database_opened_to_be_read_refuses_every_write(durable_url):
    async with ramax.connect(durable_url) as db:
        store = await db.content_store("acme", counter())
        await store.execute(add)
        await store.pstate.put("direct", 1)
        before = await dump(db)
    async with ramax.connect(durable_url, read_only=True) as db:
        store = await db.content_store("acme", counter())
        for number, attempt in enumerate(await writes(db)):
            with pytest.raises(StorageError, match="read-only"):
                raise AssertionError(f"write {number} returned {await attempt()!r}")
        assert await store.pstate.fetch("n") == 1
        assert [e.space_sequence for e in await store.events.get_events("n")] == [1]
        assert (await db.spaces.stats("acme")).key_count == 2
        assert await dump(db) == before


async def test_a_lent_connection_of_a_database_opened_to_be_read_cannot_write(durable_url):
    async with ramax.connect(durable_url) as db:
        await db.spaces.create("acme")
    async with ramax.connect(durable_url, read_only=True) as db:
        with pytest.raises(sa.exc.DBAPIError):
            async with db.connection() as connection:
                await connection.execute(sa.text("UPDATE spaces SET space_name = 'other'"))
                await connection.commit()
    async with ramax.connect(durable_url) as db:
        assert await db.spaces.exists("acme")


async def test_reading_a_file_changes_no_byte_of_it(tmp_path):
    path = tmp_path / "app.db"
    async with ramax.connect(path) as db:
        await (await db.content_store("acme", counter())).execute(add)
    before = hashlib.sha256(path.read_bytes()).digest()
    async with ramax.connect(path, read_only=True) as db:
        assert await (await db.content_store("acme", counter())).pstate.fetch("n") == 1
    assert hashlib.sha256(path.read_bytes()).digest() == before


UNPRIVILEGED = """
    import asyncio, os, sys
    import ramax
    from tests._domains import add, counter

    async def warm():  # whatever is imported late must be imported while we still may
        async with ramax.connect() as db:
            store = await db.content_store("x", counter())
            await store.execute(add)
            await store.rebuild_pstate()

    async def main(path):
        async with ramax.connect(path) as db:
            store = await db.content_store("acme", counter())
            print("read", await store.pstate.fetch("n"), flush=True)
            await store.execute(add)

    asyncio.run(warm())
    if os.geteuid() == 0:
        os.setgid(65534)
        os.setuid(65534)
    try:
        asyncio.run(main(sys.argv[1]))
        print("DONE")
    except ramax.RamaxError as error:
        print(type(error).__name__, error)
"""


def run(script: str, *arguments: str) -> str:
    root = Path(__file__).parent.parent
    command = [sys.executable, "-W", "error", "-c", textwrap.dedent(script), *arguments]
    path = os.pathsep.join([str(root), str(root / "src")])
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=60, env={**os.environ, "PYTHONPATH": path}
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


@pytest.mark.skipif(os.name != "posix", reason="rights are other ones here")
@pytest.mark.parametrize("folder", ["writable", "closed"])
async def test_a_file_that_may_not_be_written_is_a_storage_error(folder):
    # not in tmp_path, whose parents only their owner may enter
    import tempfile

    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "app.db"
        async with ramax.connect(path) as db:
            await (await db.content_store("acme", counter())).execute(add)
        before = path.read_bytes()
        path.chmod(0o444)
        Path(name).chmod(0o777 if folder == "writable" else 0o555)
        answer = run(UNPRIVILEGED, str(path))
        Path(name).chmod(0o700)
        assert "DONE" not in answer
        assert answer.splitlines()[-1].startswith("StorageError"), answer
        assert path.read_bytes() == before


# -- disks ---------------------------------------------------------------------------------------


@pytest.fixture(params=["file", "memory"])
async def small(request, tmp_path):
    """A database on a disk with room for little, by SQLite's own measure."""
    url = (
        f"sqlite+aiosqlite:///{tmp_path / 'app.db'}"
        if request.param == "file"
        else "sqlite+aiosqlite://"
    )
    engine = create_async_engine(url)
    async with ramax.connect(engine) as db:
        store = await db.content_store("acme", documents())
        await store.execute(put, ("first", {"n": 1}))
        writer: Any = db._core.backend
        await set_pages(writer, 60)
        yield db, store
    await engine.dispose()


async def set_pages(backend: Any, pages: int) -> None:
    def work(connection: Any) -> None:
        connection.execute(f"PRAGMA max_page_count={pages}")

    await backend._writer._driver._execute(lambda: work(backend._writer._driver._conn))


async def test_a_full_disk_fails_the_command_and_keeps_what_was_there(small):
    db, store = small
    before = await dump(db)
    for attempt in (
        lambda: store.execute(put, ("big", {"text": "x" * 500_000})),
        lambda: store.events.append("big", "doc.put", {"text": "x" * 500_000}),
        lambda: store.pstate.put("big", "x" * 500_000),
        lambda: db.spaces.create("big", {"text": "x" * 500_000}),
    ):
        with pytest.raises(StorageError, match="no space left"):
            await attempt()
    assert await dump(db) == before
    assert await store.pstate.fetch("first") == {"n": 1}
    await set_pages(db._core.backend, 100_000)
    commit = await store.execute(put, ("big", {"text": "x" * 500_000}))
    assert commit.space_sequence == 2
    assert len((await store.pstate.fetch("big"))["text"]) == 500_000


async def test_a_full_disk_fails_a_transaction_and_keeps_what_was_there(small):
    db, store = small
    before = await dump(db)
    with pytest.raises(RamaxError):
        async with store.transaction() as tx:
            await tx.execute(put, ("small", {}))
            await tx.execute(put, ("big", {"text": "x" * 500_000}))
    assert await dump(db) == before
    await set_pages(db._core.backend, 100_000)
    assert (await store.execute(put, ("small", {}))).space_sequence == 2


FULL = """
    import asyncio, resource, signal, sys
    import ramax
    from tests._domains import documents, put

    async def main(path):
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        async with ramax.connect(path, synchronous="FULL") as db:
            store = await db.content_store("acme", documents())
            await store.execute(put, ("k0", {"text": "x" * 1000}))
            resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, resource.RLIM_INFINITY))
            done = 0
            for n in range(1, 1000):
                try:
                    await store.execute(put, (f"k{n}", {"text": "x" * 1000}))
                    done = n
                except ramax.StorageError as error:
                    print(type(error).__name__, done)
                    break
            print(len([key async for key, _ in store.pstate.scan()]), done + 1)
            resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
            commit = await store.execute(put, ("last", {}))
            print(commit.space_sequence - 2, done)
        async with ramax.connect(path) as db:
            store = await db.content_store("acme", documents())
            print(await store.pstate.count() - 2, done)

    asyncio.run(main(sys.argv[1]))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="needs a limit on the size of files")
def test_a_file_system_that_takes_no_more_loses_nothing_that_was_acknowledged(tmp_path):
    failed, *counts = run(FULL, str(tmp_path / "app.db")).splitlines()
    assert failed.startswith("StorageError")
    for line in counts:
        found, expected = line.split()
        assert found == expected
    assert len(counts) == 3
