"""Sealed secrets and wrapped keys come back as they were written, space by space."""

from dataclasses import replace

import pytest

from ramax.core.sealed import SealedSecret, WrappedKey
from ramax.storage import secrets as rows

ID = bytes(range(16))
SECRET = SealedSecret("é/日本", ID, b"\x00sealed", 7, ID)
KEY = WrappedKey(ID, "file", b"\x00wrapped", 7, ID)


@pytest.fixture
async def two(db):
    return [(await db.spaces.create(name)).space_id for name in ("a", "b")]


async def test_rows_come_back_equal_and_only_in_their_space(db, two):
    one, other = two
    secrets = [replace(SECRET, name=n, deleted=n == "b") for n in ("a", "b")] + [SECRET]
    keys = [KEY, replace(KEY, key_id=b"k" * 16, stamp=9, destroyed=True)]

    def write(ex):
        rows.put_secrets(ex, one, secrets)
        rows.put_keys(ex, one, keys)

    await db._core.locked("test", write)
    read = db._core.read
    assert await read(lambda ex: rows.read_secrets(ex, one)) == secrets
    assert await read(lambda ex: rows.read_secret(ex, one, SECRET.name)) == (SECRET, True)
    assert await read(lambda ex: rows.read_keys(ex, one)) == keys
    assert await read(lambda ex: rows.count(ex, one)) == 2
    assert await read(lambda ex: rows.read_secrets(ex, other)) == []
    assert await read(lambda ex: rows.read_secret(ex, other, SECRET.name)) == (None, True)
    assert await read(lambda ex: rows.read_keys(ex, other)) == []


async def test_a_space_that_is_gone_is_told_from_one_without_secrets(db):
    assert await db._core.read(lambda ex: rows.read_secrets(ex, 99)) is None
    assert await db._core.read(lambda ex: rows.read_secret(ex, 99, "a")) == (None, False)


async def test_writing_again_replaces_and_erasing_spares_other_spaces_and_keys(db, two):
    one, other = two

    def work(ex):
        for space_id in two:
            rows.put_secrets(ex, space_id, [SECRET, replace(SECRET, name="x", key_id=b"k" * 16)])
        rows.put_secrets(ex, one, [replace(SECRET, sealed=b"new")])
        rows.put_keys(ex, one, [KEY])
        rows.put_keys(ex, one, [replace(KEY, wrapped=b"new")])
        rows.erase_sealed_by(ex, other, ID)
        first = rows.read_secret(ex, one, SECRET.name)[0], rows.read_keys(ex, one)
        rows.erase(ex, one)
        return first, rows.read_secrets(ex, one), rows.read_secrets(ex, other)

    first, mine, theirs = await db._core.locked("test", work)
    assert first == (replace(SECRET, sealed=b"new"), [replace(KEY, wrapped=b"new")])
    assert mine == []
    assert [secret.name for secret in theirs or []] == ["x"]
