"""`store.secrets`: what is set comes back to who holds the master key, and to nobody else."""

import asyncio
import datetime as dt
import traceback
import uuid
from decimal import Decimal

import pytest
import sqlalchemy as sa

import ramax
from ramax.errors import (
    DataError,
    MisuseError,
    SecretDecryptError,
    SpaceNotEmptyError,
    SpaceNotFoundError,
)
from tests._tables import dump, of_space
from tests.secrets._vaults import OneKey, secrets_of

VALUES = [
    "sk-öäü-日本",
    b"\x00\xff",
    {"user": "a", "password": "b", "at": dt.datetime(2026, 1, 1, tzinfo=dt.UTC)},
    [1, 2.5, None, True, Decimal("1.10"), uuid.UUID(int=7), (1, {2})],
    "",
    2**70,
]


@pytest.fixture
def provider():
    return OneKey()


async def rows(db, text):
    async with db.connection() as connection:
        return (await connection.execute(sa.text(text))).all()


async def test_what_is_set_comes_back_equal_and_of_the_same_type(db, provider):
    secrets = await secrets_of(db, "acme", provider)
    for number, value in enumerate(VALUES):
        await secrets.set(f"name {number}", value)
    again = await secrets_of(db, "acme", provider)
    for number, value in enumerate(VALUES):
        found = await again.get(f"name {number}")
        assert (found, type(found)) == (value, type(value))
    assert await again.list() == sorted(f"name {n}" for n in range(len(VALUES)))


async def test_a_secret_that_is_not_there_is_the_default(db, provider):
    secrets = await secrets_of(db, "acme", provider)
    assert await secrets.get("nothing") is None
    assert await secrets.get("nothing", "fallback") == "fallback"
    assert await secrets.delete("nothing") is False
    assert await secrets.list() == []


async def test_setting_again_overwrites_and_deleting_deletes(db, provider):
    secrets = await secrets_of(db, "acme", provider)
    await secrets.set("a", 1)
    await secrets.set("a", 2)
    assert await secrets.get("a") == 2
    assert await secrets.delete("a") is True
    assert (await secrets.get("a"), await secrets.list()) == (None, [])
    assert await secrets.delete("a") is False
    await secrets.set("a", 3)
    assert await secrets.get("a") == 3


async def test_no_row_of_the_database_holds_a_value_or_a_key(db, provider):
    secrets = await secrets_of(db, "acme", provider)
    await secrets.set("visible-name", "invisible-value")
    held = str(await dump(db))
    assert "visible-name" in held
    assert "invisible-value" not in held
    assert repr(provider.key)[2:-1] not in held
    assert repr(secrets) == "<Secrets of 'acme'>"
    assert await rows(db, "SELECT event_id FROM events") == []


async def test_spaces_share_names_and_nothing_else(db, provider):
    mine, theirs = [await secrets_of(db, name, provider) for name in ("mine", "theirs")]
    await mine.set("api", "mine")
    await theirs.set("api", "theirs")
    assert await mine.get("api") == "mine"
    await mine.destroy()
    assert await theirs.get("api") == "theirs"
    before = of_space(await dump(db), theirs._space.space_id)
    await mine.set("api", "new")
    await mine.rotate()
    assert of_space(await dump(db), theirs._space.space_id) == before


async def test_a_sealed_secret_opens_only_where_it_was_sealed(db, provider):
    """B15: ciphertext moved to another name, space or version fails to decrypt."""
    mine, theirs = [await secrets_of(db, name, provider) for name in ("mine", "theirs")]
    for secrets in (mine, theirs):
        await secrets.set("a", "A")
        await secrets.set("b", "B")
    spaces = {"m": mine._space.space_id, "t": theirs._space.space_id}
    moves = [
        "UPDATE secrets SET sealed = (SELECT sealed FROM secrets WHERE space_id = :m AND name = 'a') WHERE space_id = :m AND name = 'b'",
        "UPDATE secrets SET stamp = stamp + 1 WHERE space_id = :m AND name = 'a'",
        "UPDATE secret_keys SET wrapped = (SELECT wrapped FROM secret_keys WHERE space_id = :m) WHERE space_id = :t",
    ]
    async with db.connection() as connection:
        for move in moves:
            known = {k: v for k, v in spaces.items() if f":{k}" in move}
            await connection.execute(sa.text(move), known)
        await connection.commit()
    fresh = [await secrets_of(db, name, provider) for name in ("mine", "theirs")]
    before = await dump(db)
    for secrets, name in [(fresh[0], "a"), (fresh[0], "b"), (fresh[1], "a")]:
        with pytest.raises(SecretDecryptError):
            await secrets.get(name)
    assert await dump(db) == before


async def test_a_wrong_master_key_raises_and_never_overwrites(db, provider):
    secrets = await secrets_of(db, "acme", provider)
    await secrets.set("api", "right")
    wrong = await secrets_of(db, "acme", OneKey("another"))
    before = await dump(db)
    for step in (
        wrong.get("api"),
        wrong.set("api", "wrong"),
        wrong.set("new", "wrong"),
        wrong.delete("api"),
        wrong.rotate(),
        secrets.rewrap(OneKey()),
    ):
        with pytest.raises(SecretDecryptError, match="one key"):
            await step
    assert await dump(db) == before
    assert await wrong.list() == ["api"]
    assert await secrets.get("api") == "right"


async def test_without_a_provider_the_error_says_how_to_get_one(db):
    secrets = await secrets_of(db, "acme", None)
    with pytest.raises(MisuseError, match="keys="):
        await secrets.set("a", 1)
    assert await secrets.list() == []


async def test_a_rotation_seals_everything_with_a_new_key(db, provider):
    secrets = await secrets_of(db, "acme", provider)
    await secrets.set("a", 1)
    await secrets.set("b", 2)
    await secrets.delete("b")
    sealed = await rows(db, "SELECT sealed FROM secrets")
    assert await secrets.rotate() == 1
    assert not set(sealed) & set(await rows(db, "SELECT sealed FROM secrets"))
    assert await rows(db, "SELECT destroyed FROM secret_keys") == [(0,), (0,)]
    assert await secrets.rotate(forget_old=True) == 1
    assert sorted(await rows(db, "SELECT destroyed FROM secret_keys")) == [(0,), (1,), (1,)]
    again = await secrets_of(db, "acme", provider)
    assert (await again.get("a"), await again.get("b"), await again.list()) == (1, None, ["a"])


async def test_the_master_key_can_be_changed(db, provider):
    secrets = await secrets_of(db, "acme", provider)
    await secrets.set("a", 1)
    other = OneKey("another")
    moved = await secrets_of(db, "acme", other)
    assert await moved.rewrap(provider) == 1
    assert await (await secrets_of(db, "acme", other)).get("a") == 1
    with pytest.raises(SecretDecryptError):
        await (await secrets_of(db, "acme", provider)).get("a")


async def test_destroying_the_key_erases_even_what_was_copied(db, provider):
    secrets = await secrets_of(db, "acme", provider)
    await secrets.set("a", 1)
    await secrets.set("b", 2)
    assert await secrets.destroy() == 2
    assert (await secrets.list(), await secrets.get("a")) == ([], None)
    wrapped = await rows(db, "SELECT wrapped FROM secret_keys")
    assert len(wrapped) == 1
    assert len(wrapped[0][0]) == 28  # nonce and tag of a proof that seals nothing
    await secrets.set("a", "new")
    assert await secrets.get("a") == "new"
    assert await secrets.destroy() == 1
    assert await secrets.destroy() == 0


async def test_secrets_can_be_destroyed_without_the_master_key(db, provider):
    await (await secrets_of(db, "acme", provider)).set("a", 1)
    lost = await secrets_of(db, "acme", OneKey())
    assert await lost.destroy() == 1
    assert await lost.list() == []


async def test_the_data_key_is_unwrapped_once(db, provider):
    await (await secrets_of(db, "acme", provider)).set("a", 1)
    secrets = await secrets_of(db, "acme", provider)
    for _ in range(5):
        assert await secrets.get("a") == 1
        await secrets.set("a", 1)
    assert provider.unwrapped == 1


async def test_many_tasks_that_write_at_once_lose_nothing(db, provider):
    """A7: concurrent `set` of different names keeps both, the first write of a space included."""
    found = [await secrets_of(db, "acme", provider) for _ in range(8)]
    await asyncio.gather(
        *(s.set(f"{n}-{m}", [n, m]) for n, s in enumerate(found) for m in range(3))
    )
    assert len(await rows(db, "SELECT key_id FROM secret_keys")) == 1
    again = await secrets_of(db, "acme", provider)
    assert len(await again.list()) == 24
    for n in range(8):
        assert await again.get(f"{n}-2") == [n, 2]


async def test_secrets_survive_a_restart(durable_url, provider):
    async with ramax.connect(durable_url) as db:
        await (await secrets_of(db, "acme", provider)).set("a", 1)
    async with ramax.connect(durable_url) as db:
        assert await (await secrets_of(db, "acme", provider)).get("a") == 1


@pytest.mark.parametrize("name", ["", None, 5, "x" * 256, "\0", "\ud800"])
async def test_a_bad_name_is_refused(db, provider, name):
    secrets = await secrets_of(db, "acme", provider)
    before = await dump(db)
    for step in (secrets.set(name, 1), secrets.get(name), secrets.delete(name)):
        with pytest.raises(DataError):
            await step
    assert await dump(db) == before


@pytest.mark.parametrize(
    "value", [object(), {"hunter2": object()}, "hunter2\ud800", b"hunter2" * 3_000_000]
)
async def test_a_value_that_cannot_be_stored_is_refused_and_not_shown(db, provider, value):
    secrets = await secrets_of(db, "acme", provider)
    before = await dump(db)
    with pytest.raises(DataError) as caught:
        await secrets.set("api", value)
    error = caught.value
    assert "hunter2" not in str(error) + repr(vars(error)) + repr(error.__cause__)
    assert "api" in str(error)
    assert await dump(db) == before


async def test_secrets_of_a_deleted_space_are_gone_and_the_handle_says_so(db, provider):
    secrets = await secrets_of(db, "acme", provider)
    await secrets.set("a", 1)
    with pytest.raises(SpaceNotEmptyError):
        await db.spaces.delete("acme")
    await db.spaces.delete("acme", force=True)
    assert await rows(db, "SELECT name FROM secrets") == []
    assert await rows(db, "SELECT key_id FROM secret_keys") == []
    assert await rows(db, "SELECT origin FROM replicas") == []
    for step in (secrets.get("a"), secrets.set("a", 1), secrets.list(), secrets.delete("a")):
        with pytest.raises(SpaceNotFoundError):
            await step


async def test_the_default_space_gets_its_row_with_its_first_secret(db, provider):
    store = await db.content_store()
    secrets = await secrets_of(db, "default", provider)
    assert (await secrets.get("a"), await secrets.list(), await secrets.destroy()) == (None, [], 0)
    assert await rows(db, "SELECT space_id FROM spaces") == []
    await secrets.set("a", 1)
    assert await secrets.get("a") == 1
    assert (await db.spaces.get(store.space.space_name)).space_id == 1


async def test_a_stamp_never_goes_back(url, provider):
    async with ramax.connect(url) as db:
        secrets = await secrets_of(db, "acme", provider)
        for _ in range(3):
            await secrets.set("a", 1)
        ((stamp,),) = await rows(db, "SELECT stamp FROM secrets")
        db._core.clock = lambda: 0
        await secrets.set("a", 2)
        assert await rows(db, "SELECT stamp FROM secrets") == [(stamp + 1,)]


async def test_a_value_that_cannot_be_read_is_not_shown(db, provider, monkeypatch):
    secrets = await secrets_of(db, "acme", provider)
    with monkeypatch.context() as patched:
        patched.setattr("ramax.secrets.client._packed", lambda *_: b"\xc1 the plain value")
        await secrets.set("later", None)
    with pytest.raises(DataError, match="'later'.*this version") as failed:
        await secrets.get("later")
    assert "plain value" not in "".join(traceback.format_exception(failed.value))
