import pytest

from ramax.errors import CodecError, IdempotencyConflictError
from ramax.storage.idempotency import Found, check, find, fingerprint, insert, replay, row
from ramax.storage.plan import Extra
from tests._plans import appended, event, plan, write


def test_a_fingerprint_is_that_of_the_content_and_of_nothing_else():
    first = fingerprint("add", {"a": 1, "b": [2]})
    assert fingerprint("add", {"a": 1, "b": [2]}) == first
    others = [("add", {"a": 1, "b": [3]}), ("put", {"a": 1, "b": [2]}), ("add", None)]
    assert first not in [fingerprint(name, params) for name, params in others]


def test_parameters_that_cannot_be_recognised_again_are_refused():
    with pytest.raises(CodecError):
        fingerprint("add", object())


def test_a_repeat_with_other_content_is_a_conflict_and_one_with_other_groups_is_not():
    first = fingerprint("add", 1)
    check("s", "k", first + b"\x91\x01", first)
    with pytest.raises(IdempotencyConflictError, match="'k' of space 's'"):
        check("s", "k", first + b"\x91\x01", fingerprint("add", 2))


@pytest.mark.parametrize("sizes", [[1], [2, 0, 1], [0, 0], []])
async def test_the_first_answer_is_built_again_command_by_command(db, sizes):
    space_id = (await db.spaces.create("s")).space_id
    await write(db, plan(appended(space_id, 2)))  # what was there before is no part of it
    rows = iter([event(sequence) for sequence in range(3, 3 + sum(sizes))])
    groups = [[next(rows) for _ in range(size)] for size in sizes]
    stored = row(space_id, "k", b"f" * 16, groups, 2, 1)
    guard = appended(space_id, 2).guard._replace(last_sequence=2)
    extra = Extra(insert, [stored])
    await write(db, plan(appended(space_id, sum(sizes), guard), extras=(extra,)))
    guard = guard._replace(last_sequence=2 + sum(sizes))
    await write(db, plan(appended(space_id, 1, guard)))  # nor what came later

    found = await db._core.read(lambda ex: find(ex, space_id, "k"))
    assert found == Found(stored["fingerprint"], 3, sum(sizes))
    commits = await db._core.read(lambda ex: replay(ex, space_id, found))
    again = [[e.space_sequence for e in commit.events] for commit in commits]
    assert again == [[r.sequence for r in group] for group in groups]
    assert all(commit.replayed for commit in commits)
    heads = [2 + sum(sizes[: at + 1]) for at in range(len(sizes))]
    assert [commit.space_sequence for commit in commits] == heads


async def test_a_key_belongs_to_its_space(db):
    one, two = [(await db.spaces.create(name)).space_id for name in ("a", "b")]
    extra = Extra(insert, [row(one, "k", b"f" * 16, [], 0, 1)])
    await write(db, plan(appended(one), extras=(extra,)))
    assert await db._core.read(lambda ex: find(ex, one, "k"))
    assert await db._core.read(lambda ex: find(ex, two, "k")) is None
    assert await db._core.read(lambda ex: find(ex, one, "other")) is None


def test_the_order_of_keys_does_not_change_a_fingerprint():
    one = fingerprint("pay", {"a": [{"x": 1, "y": (2, {"p": 1, "q": 2})}], "b": None})
    other = fingerprint("pay", {"b": None, "a": [{"y": (2, {"q": 2, "p": 1}), "x": 1}]})
    assert one == other
    assert one != fingerprint("pay", {"a": [{"x": 2, "y": (2, {})}], "b": None})
