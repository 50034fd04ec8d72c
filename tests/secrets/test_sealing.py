"""Values, deletions and proofs are sealed under what they belong to."""

from dataclasses import replace

import pytest

from ramax.core.sealed import WrappedKey
from ramax.errors import SecretDecryptError
from ramax.secrets.envelope import new_key
from ramax.secrets.sealing import (
    Sealer,
    destroyed_key,
    opened_secret,
    proves_destruction,
    sealed_secret,
)

UID, ID = b"u" * 16, b"i" * 16
SEALER = Sealer(b"k" * 16, new_key())


@pytest.mark.parametrize("plain", [b"value", b"", None])
def test_a_sealed_value_opens_under_its_name_and_version_only(plain):
    secret = sealed_secret(SEALER, UID, "api", plain, (5, ID))
    assert secret.deleted is (plain is None)
    assert opened_secret(SEALER.key, "acme", UID, secret) == (plain or b"")
    for other in (
        replace(secret, name="other"),
        replace(secret, stamp=6),
        replace(secret, origin=UID),
        replace(secret, deleted=not secret.deleted),
    ):
        with pytest.raises(SecretDecryptError, match="acme"):
            opened_secret(SEALER.key, "acme", UID, other)
    with pytest.raises(SecretDecryptError):
        opened_secret(SEALER.key, "acme", ID, secret)


def test_only_the_key_itself_proves_that_it_was_destroyed():
    key = WrappedKey(SEALER.key_id, "p", b"wrapped", 1, ID)
    gone = destroyed_key(key, SEALER.key, UID, (2, ID))
    assert (gone.destroyed, gone.version, gone.key_id) == (True, (2, ID), key.key_id)
    assert proves_destruction(gone, SEALER.key, UID)
    assert not proves_destruction(gone, new_key(), UID)
    assert not proves_destruction(gone, SEALER.key, ID)
    assert not proves_destruction(destroyed_key(key, None, UID, (2, ID)), SEALER.key, UID)


def test_a_sealer_does_not_show_its_key():
    assert repr(SEALER.key) not in repr(SEALER)
