"""Which of two sealed secrets or wrapped keys wins, and what no replica would have made."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ramax.core.sealed import (
    SealedSecret,
    SealedSet,
    WrappedKey,
    key_wins,
    merged,
    secret_binding,
    secret_wins,
)
from ramax.errors import DataError

ID = bytes(16)
SECRET = SealedSecret("api", ID, b"sealed", 7, ID)
KEY = WrappedKey(ID, "file", b"wrapped", 7, ID)

versions = st.tuples(st.integers(0, 9), st.binary(min_size=16, max_size=16))
secrets = versions.map(lambda v: replace(SECRET, stamp=v[0], origin=v[1]))
keys = st.tuples(versions, st.booleans()).map(
    lambda x: replace(KEY, stamp=x[0][0], origin=x[0][1], destroyed=x[1])
)


def settled(wins, found):
    kept = None
    for each in found:
        if wins(each, kept):
            kept = each
    return kept


@given(
    st.lists(secrets, min_size=1, max_size=6).flatmap(
        lambda x: st.permutations(x).map(lambda y: (x, y))
    )
)
def test_whatever_the_order_the_latest_write_wins(both):
    one, other = both
    assert settled(secret_wins, one).version == settled(secret_wins, other).version
    assert settled(secret_wins, one).version == max(s.version for s in one)


@given(
    st.lists(keys, min_size=1, max_size=6).flatmap(
        lambda x: st.permutations(x).map(lambda y: (x, y))
    )
)
def test_a_destroyed_key_never_comes_back(both):
    one, other = (settled(key_wins, found) for found in both)
    assert (one.destroyed, one.version) == (other.destroyed, other.version)
    assert one.destroyed == any(key.destroyed for key in both[0])


def test_a_secret_is_bound_to_everything_that_names_it():
    others = [
        replace(SECRET, name="other"),
        replace(SECRET, key_id=b"k" * 16),
        replace(SECRET, stamp=8),
        replace(SECRET, origin=b"o" * 16),
        replace(SECRET, deleted=True),
    ]
    bindings = [secret_binding(ID, secret) for secret in (SECRET, *others)]
    bindings.append(secret_binding(b"u" * 16, SECRET))
    assert len(set(bindings)) == len(bindings)
    assert secret_binding(ID, replace(SECRET, sealed=b"x")) == bindings[0]


@pytest.mark.parametrize(
    "bad",
    [
        replace(SECRET, name=""),
        replace(SECRET, name="x" * 256),
        replace(SECRET, key_id=b"short"),
        replace(SECRET, stamp=-1),
        replace(SECRET, stamp=2**63),
        replace(SECRET, stamp=True),
        replace(SECRET, origin="text" * 4),  # type: ignore[arg-type]
        replace(SECRET, sealed="text"),  # type: ignore[arg-type]
        replace(KEY, key_id=b""),
        replace(KEY, provider=""),
        replace(KEY, wrapped=bytes(5000)),
        replace(KEY, origin=b"x" * 17),
    ],
)
def test_what_no_replica_would_have_made_is_refused(bad):
    SECRET.check()
    KEY.check()
    with pytest.raises(DataError):
        bad.check()


def test_of_two_sets_each_name_keeps_its_later_write_whoever_is_first():
    """A7: concurrent writes of different names keep both; of one name the later wins."""
    one = SealedSet((KEY,), (SECRET, replace(SECRET, name="mine")))
    later = replace(SECRET, sealed=b"later", stamp=9)
    gone = replace(KEY, destroyed=True, stamp=1)
    other = SealedSet((gone,), (later, replace(SECRET, name="theirs")))
    both = merged(one, other)
    assert both == merged(other, one) == merged(both, one)
    assert {s.name: s.sealed for s in both.secrets} == {
        "api": b"later",
        "mine": b"sealed",
        "theirs": b"sealed",
    }
    assert both.keys == (gone,)
    assert merged(one, SealedSet()) == merged(SealedSet(), one)
