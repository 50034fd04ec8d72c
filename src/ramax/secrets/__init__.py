"""Secrets of spaces, sealed at rest; the master key comes from a provider (``ramax[crypto]``)."""

from ramax.core.sealed import KeyProvider, SealBrokenError
from ramax.secrets.client import Secrets
from ramax.secrets.providers import (
    EnvironmentKey,
    FileKey,
    KeyringKey,
    Passphrase,
    generate_key,
)

__all__ = [
    "EnvironmentKey",
    "FileKey",
    "KeyProvider",
    "KeyringKey",
    "Passphrase",
    "SealBrokenError",
    "Secrets",
    "generate_key",
]
