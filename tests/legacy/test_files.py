import hashlib
import os
import shutil
import sqlite3
import tempfile
from pathlib import Path

import pytest

from ramax.errors import LegacyFormatError
from ramax.legacy import inspect, open_source
from ramax.legacy.files import opened
from tests.migrations.elixir import BEFORE_SPACES, WITH_SPACES, ElixirFile, event

DATA = Path(__file__).parents[1] / "data" / "legacy"


def contents(folder: Path) -> dict[str, tuple[str, int]]:
    return {
        path.name: (hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_mtime_ns)
        for path in folder.iterdir()
        if path.is_file()
    }


def count(path: Path) -> int:
    with open_source(path) as source:
        return len(list(source.events()))


@pytest.fixture
def filled(tmp_path):
    file = ElixirFile(tmp_path / "old #1 %20.db", BEFORE_SPACES)
    file.insert("events", *(event(number) for number in range(1, 201)))
    return file


@pytest.mark.parametrize("journal", ["delete", "wal"])
def test_reading_changes_nothing_and_leaves_nothing(filled, tmp_path, journal):
    filled.run(f"PRAGMA journal_mode = {journal}")
    before = contents(tmp_path)
    assert len(before) == 1
    assert inspect(filled.path).event_count == 200
    assert contents(tmp_path) == before


def test_a_file_in_a_folder_that_nobody_may_write_to_is_read(filled, tmp_path):
    filled.run("PRAGMA journal_mode = wal")
    filled.path.chmod(0o400)
    tmp_path.chmod(0o500)
    try:
        assert count(filled.path) == 200
    finally:
        tmp_path.chmod(0o700)


def crashed(file: ElixirFile, folder: Path, script: str, journal: str) -> Path:
    """What is on disk while a connection that was never closed has it open."""
    connection = sqlite3.connect(file.path, isolation_level=None)
    connection.execute(f"PRAGMA journal_mode = {journal}")
    connection.executescript(script)
    folder.mkdir()
    for path in file.path.parent.glob(f"{file.path.name}*"):
        if path.is_file() and not path.name.endswith("-shm"):
            shutil.copyfile(path, folder / path.name)
    connection.execute("ROLLBACK") if connection.in_transaction else None
    connection.close()
    return folder / file.path.name


@pytest.fixture
def no_temporary_files_are_left(tmp_path, monkeypatch):
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    yield
    assert list(folder.iterdir()) == []


def test_what_waits_in_a_write_ahead_log_is_read_too(filled, tmp_path, no_temporary_files_are_left):
    path = crashed(filled, tmp_path / "c", "DELETE FROM events WHERE event_id > 150;", "wal")
    before = contents(path.parent)
    assert len(before) == 2
    assert count(path) == 150
    assert contents(path.parent) == before


def test_what_a_rollback_journal_takes_back_is_not_read(
    filled, tmp_path, no_temporary_files_are_left
):
    script = (
        "PRAGMA cache_size = 1; PRAGMA cache_spill = 1; BEGIN; UPDATE events SET payload = 'gone';"
    )
    path = crashed(filled, tmp_path / "c", script, "delete")
    before = contents(path.parent)
    assert len(before) == 2
    with open_source(path) as source:
        assert [each.payload for each in source.events()] != [b"gone"] * 200
        assert b"gone" not in {each.payload for each in source.events()}
    assert contents(path.parent) == before


def test_a_file_that_is_written_to_meanwhile_is_not_trusted(filled):
    refused = pytest.raises(LegacyFormatError, match="was written to while it was read")
    with refused, open_source(filled.path) as source:
        assert len(list(source.events())) == 200
        filled.event(999)


def test_an_error_of_the_reader_is_not_taken_for_one_of_the_file(filled):
    refused = pytest.raises(sqlite3.OperationalError, match="of another database")
    with refused, opened(filled.path) as file:
        for _ in file.rows("SELECT 1"):
            raise sqlite3.OperationalError("of another database")


def broken_file(folder: Path, kind: str) -> Path:
    path = folder / "x.db"
    whole = (DATA / "sample_spaces.db").read_bytes()
    if kind == "missing":
        return path
    if kind == "folder":
        path.mkdir()
        return path
    middle = bytearray(whole)
    middle[4096 * 2 : 4096 * 4] = os.urandom(8192)
    path.write_bytes(
        {
            "empty": b"",
            "text": b"hello, this is no database\n" * 200,
            "header": whole[:60],
            "first page": whole[:4096],
            "cut": whole[:-4096],
            "cut inside a page": whole[:-100],
            "scrambled": bytes(middle),
        }[kind]
    )
    return path


@pytest.mark.parametrize(
    ("kind", "rule"),
    [
        ("missing", "does not exist"),
        ("folder", "is not a file"),
        ("empty", "is empty"),
        ("text", "is not a SQLite database"),
        ("header", "is cut short"),
        ("first page", "is cut short"),
        ("cut", "is cut short"),
        ("cut inside a page", "is cut short"),
        ("scrambled", "is damaged|cannot be read"),
    ],
)
def test_what_is_no_whole_database_is_refused_by_name(tmp_path, kind, rule):
    path = broken_file(tmp_path, kind)
    before = contents(tmp_path)
    with pytest.raises(LegacyFormatError, match=rule) as caught:
        inspect(path)
    assert str(path) in str(caught.value)
    assert contents(tmp_path) == before


def test_damage_where_no_row_is_read_is_noticed_too(filled):
    ((page,),) = filled.read("SELECT rootpage FROM sqlite_master WHERE name = 'idx_updated_at'")
    damaged = bytearray(filled.path.read_bytes())
    damaged[4096 * (page - 1) : 4096 * page] = b"\xa5" * 4096
    filled.path.write_bytes(damaged)
    with pytest.raises(LegacyFormatError, match="is damaged"):
        inspect(filled.path)


def test_damage_to_any_page_is_noticed_or_harmless(tmp_path):
    file = ElixirFile(tmp_path / "whole.db", WITH_SPACES)
    whole = bytearray(file.path.read_bytes())
    path = tmp_path / "damaged.db"
    for start in range(100, len(whole), 512):
        damaged = whole.copy()
        damaged[start : start + 64] = b"\xa5" * 64
        path.write_bytes(damaged)
        try:
            inspect(path)
        except LegacyFormatError:
            continue
