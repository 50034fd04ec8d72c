"""A space gets one identity, keeps it, and its clock only moves on."""

from ramax.core.clock import wall_stamp
from ramax.storage.replicas import (
    ensure_identity,
    next_version,
    observe_stamp,
    read_identity,
)

NOW = 1_800_000_000_000_000


async def test_an_identity_is_made_once(db):
    space = await db.spaces.create("acme")
    other = await db.spaces.create("other")

    def twice(ex):
        return [ensure_identity(ex, space.space_id, NOW) for _ in range(2)]

    one, same = await db._core.locked("test", twice)
    assert one == same == await db._core.read(lambda ex: read_identity(ex, space.space_id))
    assert (len(one.space_uid), len(one.origin), one.stamp) == (16, 16, 0)
    assert await db._core.read(lambda ex: read_identity(ex, other.space_id)) is None


async def test_a_replica_shares_the_id_of_the_space_and_not_the_origin(db):
    spaces = [await db.spaces.create(name) for name in ("a", "b")]
    uid = b"s" * 16
    made = await db._core.locked(
        "test", lambda ex: [ensure_identity(ex, s.space_id, NOW, uid) for s in spaces]
    )
    assert [each.space_uid for each in made] == [uid, uid]
    assert made[0].origin != made[1].origin


async def test_versions_grow_even_where_the_clock_goes_back(db):
    space = await db.spaces.create("acme")

    def work(ex):
        stamps = [next_version(ex, space.space_id, now)[0] for now in (NOW, NOW, NOW - 10**9)]
        observe_stamp(ex, space.space_id, stamps[-1] + 5, NOW)
        observe_stamp(ex, space.space_id, 3, NOW)
        return [*stamps, next_version(ex, space.space_id, 0)[0]]

    first = wall_stamp(NOW)
    assert await db._core.locked("test", work) == [first, first + 1, first + 2, first + 8]
