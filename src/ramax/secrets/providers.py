"""Key providers: where the master key comes from that wraps the data keys of spaces."""

import asyncio
import base64
import binascii
import os
import secrets
from collections import OrderedDict
from pathlib import Path

from ramax.errors import DataError, StorageError
from ramax.secrets.envelope import KEY_BYTES, new_key, seal, unseal

_SALT_BYTES = 16
_DERIVED_KEPT = 64
_PRIVATE = 0o600


class _MasterKey:
    """What providers with one ready master key share."""

    def __init__(self, name: str, key: bytes) -> None:
        self.name, self._key = name, key

    async def wrap(self, key: bytes, bound_to: bytes) -> bytes:
        """See `KeyProvider.wrap`."""
        return seal(self._key, key, bound_to)

    async def unwrap(self, wrapped: bytes, bound_to: bytes) -> bytes:
        """See `KeyProvider.unwrap`."""
        return unseal(self._key, wrapped, bound_to)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name}>"


class EnvironmentKey(_MasterKey):
    """The master key is in an environment variable: 32 bytes in base64 (`generate_key`).

    Raises:
        DataError: The variable is not set, or holds something else.
    """

    def __init__(self, variable: str = "RAMAX_SECRET_KEY") -> None:
        text = os.environ.get(variable)
        if not text:
            raise DataError("environment variable", variable, "must hold a key: generate_key()")
        super().__init__(f"environment {variable}", _parsed(text, f"key in {variable}"))


class FileKey(_MasterKey):
    """The master key is in a file of its own, readable by its owner only.

    Args:
        path: One line of base64.
        create: Make the file with a new key if it is missing.

    Raises:
        StorageError: The file cannot be read or made.
        DataError: It holds something else.
    """

    def __init__(self, path: str | os.PathLike[str], *, create: bool = False) -> None:
        file = Path(path)
        try:
            if create:
                _create(file)
            text = file.read_text(encoding="ascii")
        except (OSError, UnicodeDecodeError) as error:
            raise StorageError(f"key file {file}: {error}") from error
        super().__init__(f"file {file.name}", _parsed(text, f"key in {file}"))


class KeyringKey(_MasterKey):
    """The master key is in the system's keyring (extra ``ramax[keyring]``); made when missing.

    Raises:
        StorageError: There is no keyring on this machine, or it refused.
    """

    def __init__(self, service: str = "ramax", user: str = "secrets") -> None:
        import keyring  # noqa: PLC0415 - an extra
        from keyring.errors import KeyringError  # noqa: PLC0415

        try:
            text = keyring.get_password(service, user)
            if text is None:
                text = generate_key()
                keyring.set_password(service, user, text)
        except KeyringError as error:
            raise StorageError(f"keyring {service}/{user}: {error!r}") from error
        super().__init__(f"keyring {service}", _parsed(text, f"key in keyring {service}/{user}"))


class Passphrase:
    """The master key is derived from a passphrase by Argon2id, with a salt for each data key.

    Takes about 0.4 s and 64 MiB for each data key, once per process. Source: RFC 9106.
    """

    name = "passphrase"

    def __init__(self, passphrase: str) -> None:
        if not isinstance(passphrase, str) or not passphrase:
            raise DataError("passphrase", type(passphrase).__name__, "must be a non-empty str")
        self._passphrase = passphrase.encode()
        self._derived: OrderedDict[bytes, bytes] = OrderedDict()

    async def wrap(self, key: bytes, bound_to: bytes) -> bytes:
        """See `KeyProvider.wrap`."""
        salt = secrets.token_bytes(_SALT_BYTES)
        return salt + seal(await self._master(salt), key, bound_to)

    async def unwrap(self, wrapped: bytes, bound_to: bytes) -> bytes:
        """See `KeyProvider.unwrap`."""
        salt, sealed = wrapped[:_SALT_BYTES], wrapped[_SALT_BYTES:]
        return unseal(await self._master(salt.ljust(_SALT_BYTES, b"\0")), sealed, bound_to)

    async def _master(self, salt: bytes) -> bytes:
        found = self._derived.get(salt)
        if found is None:
            found = self._derived[salt] = await asyncio.to_thread(self._derive, salt)
            while len(self._derived) > _DERIVED_KEPT:
                self._derived.popitem(last=False)
        return found

    def _derive(self, salt: bytes) -> bytes:
        from cryptography.hazmat.primitives.kdf.argon2 import Argon2id  # noqa: PLC0415 - an extra

        argon = Argon2id(salt=salt, length=KEY_BYTES, iterations=3, lanes=1, memory_cost=64 * 1024)
        return argon.derive(self._passphrase)

    def __repr__(self) -> str:
        return "<Passphrase>"


def generate_key() -> str:
    """Return a new master key as text, for an environment variable or a file."""
    return base64.b64encode(new_key()).decode()


def _parsed(text: str, what: str) -> bytes:
    try:
        key = base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != KEY_BYTES:
        raise DataError(what, "…", f"must be {KEY_BYTES} bytes in base64, as generate_key() gives")
    return key


def _create(file: Path) -> None:
    try:
        handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _PRIVATE)
    except FileExistsError:
        return
    with os.fdopen(handle, "w", encoding="ascii") as stream:
        stream.write(f"{generate_key()}\n")
