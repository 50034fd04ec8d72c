"""Sealing and opening with AES-256-GCM: 12 random bytes, then ciphertext and tag."""

import secrets
from typing import Any

from ramax.core.sealed import SealBrokenError
from ramax.errors import MisuseError

KEY_BYTES = 32
_NONCE_BYTES = 12


def new_key() -> bytes:
    """Make a random key."""
    return secrets.token_bytes(KEY_BYTES)


def seal(key: bytes, plain: bytes, bound_to: bytes) -> bytes:
    """Encrypt ``plain`` so that it opens only with ``key`` and the same ``bound_to``."""
    nonce = secrets.token_bytes(_NONCE_BYTES)
    ciphertext: bytes = _cipher(key).encrypt(nonce, plain, bound_to)
    return nonce + ciphertext


def unseal(key: bytes, sealed: bytes, bound_to: bytes) -> bytes:
    """Decrypt what `seal` gave.

    Raises:
        SealBrokenError: It cannot be opened with this key and binding.
    """
    cipher = _cipher(key)
    from cryptography.exceptions import InvalidTag  # noqa: PLC0415 - an extra

    try:
        opened: bytes = cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], bound_to)
    except (InvalidTag, ValueError) as error:
        raise SealBrokenError from error
    return opened


def _cipher(key: bytes) -> Any:
    try:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415 - an extra
    except ImportError:
        raise MisuseError("secrets need cryptography: pip install 'ramax[crypto]'") from None
    return AESGCM(key)
