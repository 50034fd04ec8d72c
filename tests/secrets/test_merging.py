"""Replicas exchange ciphertext: the later write wins, and nothing broken ever erases."""

from dataclasses import replace

import pytest

import ramax
from ramax.core.clock import MAX_AHEAD_MS, wall_stamp
from ramax.core.sealed import SealedSet
from ramax.storage.replicas import ensure_identity, read_identity
from tests._tables import dump
from tests.secrets._vaults import OneKey, exchange_of, secrets_of


@pytest.fixture
def provider():
    return OneKey()


class Replica:
    """A copy of the space `acme` in a database of its own."""

    def __init__(self, db, provider):
        self.db, self.provider = db, provider

    async def secrets(self):
        return await secrets_of(self.db, "acme", self.provider)

    async def export(self):
        return await (await exchange_of(self.db, "acme", self.provider)).export()

    async def take(self, given):
        return await (await exchange_of(self.db, "acme", self.provider)).merge(given)


async def become(db, space_uid):
    """Make the space `acme` a replica of the space that is known by this id."""
    space = await db.spaces.create("acme")
    await db._core.locked("test", lambda ex: ensure_identity(ex, space.space_id, 0, space_uid))


@pytest.fixture
async def two(url, provider):
    """The same space in the database under test and in one in memory."""
    async with ramax.connect(url) as one, ramax.connect() as other:
        for db in (one, other):
            await become(db, b"the same space. ")
        yield Replica(one, provider), Replica(other, provider)


async def same_on_both(one, other):
    return {(k.key_id, k.version) for k in one.keys} == {
        (k.key_id, k.version) for k in other.keys
    } and {(s.name, s.version) for s in one.secrets} == {(s.name, s.version) for s in other.secrets}


async def meet(one, other):
    """Let both take what the other has."""
    for a, b in ((one, other), (other, one)):
        merged = await b.take(await a.export())
        assert merged.refused == ()
    assert await same_on_both(await one.export(), await other.export())


async def test_what_was_set_on_either_side_is_on_both(two):
    """A7: different names keep both, whichever replica made its data key first."""
    one, other = two
    await (await one.secrets()).set("a", 1)
    await (await other.secrets()).set("b", 2)
    await meet(one, other)
    for replica in two:
        secrets = await replica.secrets()
        assert [await secrets.get(name) for name in await secrets.list()] == [1, 2]


async def test_the_later_write_of_a_name_wins_on_both(two):
    one, other = two
    await (await one.secrets()).set("a", "early")
    await meet(one, other)
    await (await one.secrets()).set("a", "middle")
    await (await other.secrets()).set("a", "middle too")
    await (await other.secrets()).set("a", "late")
    await meet(one, other)
    for replica in two:
        assert await (await replica.secrets()).get("a") == "late"


async def test_a_deletion_is_not_undone_by_a_replica_that_missed_it(two):
    one, other = two
    await (await one.secrets()).set("a", 1)
    await meet(one, other)
    before = await other.export()
    await (await one.secrets()).delete("a")
    await meet(one, other)
    assert (await one.take(before)).taken == 0
    for replica in two:
        assert await (await replica.secrets()).list() == []


async def test_taking_twice_changes_nothing(two):
    one, other = two
    await (await one.secrets()).set("a", 1)
    given = await one.export()
    assert (await other.take(given)).taken == 2
    before = await other.export()
    assert (await other.take(given)).taken == 0
    assert await other.export() == before


async def test_a_rotation_and_a_new_master_key_spread(two):
    one, other = two
    await (await one.secrets()).set("a", 1)
    await meet(one, other)
    await (await one.secrets()).rotate(forget_old=True)
    await meet(one, other)
    assert await (await other.secrets()).get("a") == 1
    assert [key.destroyed for key in (await other.export()).keys].count(True) == 1


async def test_destroying_spreads_with_its_proof_and_erases_there_too(two):
    one, other = two
    await (await one.secrets()).set("a", 1)
    await meet(one, other)
    await (await one.secrets()).destroy()
    await meet(one, other)
    assert await (await other.secrets()).list() == []
    assert (await other.export()).secrets == ()


async def test_a_destruction_without_proof_is_refused(two):
    one, other = two
    await (await one.secrets()).set("a", 1)
    await meet(one, other)
    (key,) = (await one.export()).keys
    for proof in (b"", key.wrapped, bytes(28)):
        forged = replace(key, wrapped=proof, stamp=key.stamp + 1, destroyed=True)
        merged = await other.take(SealedSet((forged,)))
        assert merged.taken == 0
        assert "proves" in merged.refused[0][1]
    assert await (await other.secrets()).get("a") == 1


async def test_a_broken_layer_never_erases(two):
    """B15: what cannot be opened takes the place of nothing, however late its stamp is."""
    one, other = two
    await (await one.secrets()).set("a", 1)
    await meet(one, other)
    given = await one.export()
    (secret,), (key,) = given.secrets, given.keys
    broken = [
        replace(secret, sealed=bytes(40), stamp=secret.stamp + 1),
        replace(secret, stamp=secret.stamp + 1),
        replace(secret, deleted=True, sealed=b"", stamp=secret.stamp + 1),
        replace(secret, key_id=b"?" * 16, stamp=secret.stamp + 1),
        replace(secret, name="other"),
        replace(secret, origin=b"short", stamp=secret.stamp + 1),
    ]
    for each in broken:
        merged = await other.take(SealedSet((), (each,)))
        assert (merged.taken, len(merged.refused)) == (0, 1)
    rewrapped = replace(key, wrapped=bytes(60), stamp=key.stamp + 1)
    assert (await other.take(SealedSet((rewrapped,)))).taken == 0
    secrets = await other.secrets()
    assert (await secrets.list(), await secrets.get("a")) == (["a"], 1)


async def test_a_key_of_another_master_key_is_refused_and_blocks_nothing(two, provider):
    one, other = two
    one.provider = OneKey("strange")
    await (await one.secrets()).set("a", 1)
    merged = await other.take(await one.export())
    assert merged.taken == 0
    assert len(merged.refused) == 2
    await (await other.secrets()).set("b", 2)
    assert await (await other.secrets()).get("b") == 2


async def test_a_relay_without_the_master_key_passes_everything_on(two, provider):
    one, relay = two
    relay.provider = None
    await (await one.secrets()).set("a", 1)
    await (await one.secrets()).set("a", 2)
    assert (await relay.take(await one.export())).refused == ()
    async with ramax.connect() as db:
        await become(db, b"the same space. ")
        third = Replica(db, provider)
        assert (await third.take(await relay.export())).refused == ()
        assert await (await third.secrets()).get("a") == 2


async def test_a_stamp_from_the_future_is_refused_and_the_clock_stays(two):
    """B11: a clock far ahead is not adopted."""
    one, other = two
    await (await one.secrets()).set("a", 1)
    await meet(one, other)
    real = one.db._core.clock
    one.db._core.clock = lambda: real() + (MAX_AHEAD_MS + 10_000) * 1000
    await (await one.secrets()).set("a", 2)
    merged = await other.take(await one.export())
    assert "ahead" in merged.refused[0][1]
    assert await (await other.secrets()).get("a") == 1
    identity = await other.db._core.read(lambda ex: read_identity(ex, 1))
    assert identity.stamp < wall_stamp(real() + 60_000_000)


async def test_what_a_replica_took_its_next_write_comes_after(two):
    one, other = two
    real = one.db._core.clock
    one.db._core.clock = lambda: real() + 60_000_000  # a minute ahead, which is believed
    await (await one.secrets()).set("a", "ahead")
    await meet(one, other)
    await (await other.secrets()).set("a", "after")
    await meet(one, other)
    assert await (await one.secrets()).get("a") == "after"


async def test_refusing_writes_nothing_but_the_clock(two):
    one, other = two
    await (await one.secrets()).set("a", 1)
    await meet(one, other)
    (secret,) = (await one.export()).secrets
    before = await dump(other.db)
    await other.take(SealedSet((), (replace(secret, stamp=secret.stamp + 1),)))
    after = await dump(other.db)
    changed = {name for name in before if before[name] != after[name]}
    assert changed <= {"replicas"}
