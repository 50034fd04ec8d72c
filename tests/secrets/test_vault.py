"""The vault makes and unwraps data keys, remembers them, and forgets them."""

from dataclasses import replace

import pytest

from ramax.errors import MisuseError, SecretDecryptError
from ramax.secrets.envelope import seal
from ramax.secrets.vault import Vault
from tests.secrets._vaults import OneKey

UID = bytes(16)


async def test_a_made_key_is_at_hand_and_another_process_can_unwrap_it():
    provider = OneKey()
    vault = Vault(provider)
    made = await vault.create(UID)
    key = vault.opened(UID, made.key_id)
    assert await Vault(provider).open("acme", UID, made) == key
    assert await vault.open("acme", UID, made) == key
    assert provider.unwrapped == 1


async def test_a_forgotten_key_has_to_be_unwrapped_again():
    provider = OneKey()
    vault = Vault(provider)
    made = await vault.create(UID)
    vault.forget(UID, made.key_id)
    vault.forget(UID, made.key_id)
    assert vault.opened(UID, made.key_id) is None
    await vault.open("acme", UID, made)
    assert provider.unwrapped == 1


async def test_a_key_of_another_space_or_of_a_wrong_length_does_not_open():
    provider = OneKey()
    vault = Vault(provider)
    made = await vault.create(UID)
    with pytest.raises(SecretDecryptError, match="acme"):
        await Vault(provider).open("acme", b"u" * 16, made)
    short = await vault.wrap(UID, made.key_id, b"short")
    with pytest.raises(SecretDecryptError, match="length"):
        await Vault(provider).open("acme", UID, short)
    with pytest.raises(SecretDecryptError):
        await Vault(provider).open("acme", UID, replace(made, wrapped=seal(bytes(32), b"", b"")))


async def test_without_a_provider_nothing_is_made():
    assert not Vault(None).can_open
    with pytest.raises(MisuseError):
        await Vault(None).create(UID)
