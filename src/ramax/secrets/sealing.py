"""Sealing the values, deletions and proofs of one space with its data keys."""

from dataclasses import dataclass, field, replace

from ramax.core.clock import Version
from ramax.core.sealed import (
    SealBrokenError,
    SealedSecret,
    WrappedKey,
    proof_binding,
    secret_binding,
)
from ramax.errors import SecretDecryptError
from ramax.secrets.envelope import seal, unseal


@dataclass(frozen=True, slots=True)
class Sealer:
    """The data key with which a space seals now; ``made`` where it has to be written first."""

    key_id: bytes
    key: bytes = field(repr=False)
    made: WrappedKey | None = None


def sealed_secret(
    sealer: Sealer, space_uid: bytes, name: str, plain: bytes | None, version: Version
) -> SealedSecret:
    """Seal a value under its name and version; None seals its deletion."""
    bare = SealedSecret(name, sealer.key_id, b"", *version, deleted=plain is None)
    return replace(bare, sealed=seal(sealer.key, plain or b"", secret_binding(space_uid, bare)))


def opened_secret(key: bytes, space: str, space_uid: bytes, secret: SealedSecret) -> bytes:
    """Open a sealed secret of the space called ``space``.

    Raises:
        SecretDecryptError: It was changed, or belongs to another space, name or version.
    """
    try:
        return unseal(key, secret.sealed, secret_binding(space_uid, secret))
    except SealBrokenError as error:
        reason = "it was changed, or moved here from another space, name or version"
        raise SecretDecryptError(space, secret.name, reason) from error


def destroyed_key(
    key: WrappedKey, opened: bytes | None, space_uid: bytes, version: Version
) -> WrappedKey:
    """Return what is kept of a key that is gone: a proof, if it could be opened once more."""
    stamp, origin = version
    proof = b"" if opened is None else seal(opened, b"", proof_binding(space_uid, key.key_id))
    return replace(key, wrapped=proof, stamp=stamp, origin=origin, destroyed=True)


def proves_destruction(key: WrappedKey, opened: bytes, space_uid: bytes) -> bool:
    """Say whether it was a holder of the key itself who destroyed it."""
    try:
        unseal(opened, key.wrapped, proof_binding(space_uid, key.key_id))
    except SealBrokenError:
        return False
    return True
