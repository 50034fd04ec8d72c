"""Where master keys come from: the environment, a file, the system's keyring, a passphrase."""

import stat
from typing import Any

import keyring
import pytest
from keyring.backend import KeyringBackend

from ramax.errors import DataError, StorageError
from ramax.secrets import (
    EnvironmentKey,
    FileKey,
    KeyringKey,
    Passphrase,
    SealBrokenError,
    generate_key,
)

DATA_KEY = bytes(range(32))


class Box(KeyringBackend):
    """A keyring of this test's own."""

    priority = 1

    def __init__(self):
        super().__init__()
        self.held = {}

    def get_password(self, service, username):
        return self.held.get((service, username))

    def set_password(self, service, username, password):
        self.held[service, username] = password


@pytest.fixture
def box():
    before = keyring.get_keyring()
    keyring.set_keyring(Box())
    yield
    keyring.set_keyring(before)


@pytest.fixture(params=["environment", "file", "keyring", "passphrase"])
def made_twice(request, monkeypatch, tmp_path):
    """Two providers made one after the other, as after a restart."""
    monkeypatch.setenv("RAMAX_SECRET_KEY", generate_key())
    if request.param == "keyring":
        request.getfixturevalue("box")
    makers: Any = {
        "environment": EnvironmentKey,
        "file": lambda: FileKey(tmp_path / "key", create=True),
        "keyring": KeyringKey,
        "passphrase": lambda: Passphrase("correct horse"),
    }
    make = makers[request.param]
    return make(), make()


async def test_what_one_wraps_the_next_unwraps(made_twice):
    one, other = made_twice
    wrapped = await one.wrap(DATA_KEY, b"here")
    assert DATA_KEY not in wrapped
    assert await other.unwrap(wrapped, b"here") == DATA_KEY
    with pytest.raises(SealBrokenError):
        await other.unwrap(wrapped, b"there")


async def test_another_master_key_unwraps_nothing(monkeypatch):
    monkeypatch.setenv("ONE", generate_key())
    monkeypatch.setenv("TWO", generate_key())
    pairs: list[Any] = [
        (EnvironmentKey("ONE"), EnvironmentKey("TWO")),
        (Passphrase("one"), Passphrase("two")),
    ]
    for one, other in pairs:
        wrapped = await one.wrap(DATA_KEY, b"")
        for broken in (wrapped, b"", wrapped[:20]):
            with pytest.raises(SealBrokenError):
                await other.unwrap(broken, b"")


def test_nothing_shows_a_key(monkeypatch, tmp_path):
    text = generate_key()
    monkeypatch.setenv("RAMAX_SECRET_KEY", text)
    assert text not in repr(EnvironmentKey())
    assert "horse" not in repr(Passphrase("horse"))
    monkeypatch.setenv("RAMAX_SECRET_KEY", text[:-4])
    with pytest.raises(DataError) as caught:
        EnvironmentKey()
    assert text[:10] not in str(caught.value)


def test_a_key_file_is_made_once_and_is_private(tmp_path):
    path = tmp_path / "key"
    FileKey(path, create=True)
    text = path.read_text()
    FileKey(path, create=True)
    assert path.read_text() == text
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_missing_or_wrong_key_is_named(tmp_path, monkeypatch):
    monkeypatch.delenv("RAMAX_SECRET_KEY", raising=False)
    with pytest.raises(DataError, match="RAMAX_SECRET_KEY"):
        EnvironmentKey()
    with pytest.raises(StorageError, match="nowhere"):
        FileKey(tmp_path / "nowhere")
    (tmp_path / "wrong").write_text("not a key")
    with pytest.raises(DataError, match="32 bytes"):
        FileKey(tmp_path / "wrong")
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    with pytest.raises(StorageError, match="binary"):
        FileKey(tmp_path / "binary")
    bad: Any
    for bad in ("", b"bytes", None):
        with pytest.raises(DataError):
            Passphrase(bad)


def test_a_machine_without_a_keyring_says_so():
    from keyring.backends.fail import Keyring

    before = keyring.get_keyring()
    keyring.set_keyring(Keyring())
    try:
        with pytest.raises(StorageError, match="keyring"):
            KeyringKey()
    finally:
        keyring.set_keyring(before)
