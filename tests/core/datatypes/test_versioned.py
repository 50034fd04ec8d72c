"""Versions: counted per value, never used twice."""

from typing import Any

import pytest

from ramax.core.datatypes import versioned
from ramax.errors import VersionConflictError


def test_versions_count_on_over_a_deletion():
    state: dict[str, Any] = {}
    versioned.store(state, "a", "one")
    versioned.store(state, "a", "two")
    versioned.store(state, "b", "other")
    assert versioned.find(state, "a") == (2, "two")
    versioned.remove(state, "a")
    versioned.remove(state, "a")
    assert versioned.find(state, "a") is None
    assert versioned.next_version(state, "a") == {"version": 3}
    versioned.store(state, "a", "again")
    assert versioned.find(state, "a") == (3, "again")
    assert versioned.find(state, "b") == (1, "other")
    assert set(state) == {"v/a", "v/b"}


def test_a_version_is_expected_as_it_is():
    state: dict[str, Any] = {}
    versioned.expect(state, "a", None)
    versioned.store(state, "a", 1)
    versioned.expect(state, "a", 1)
    for wrong in (None, 0, 2):
        with pytest.raises(VersionConflictError) as caught:
            versioned.expect(state, "a", wrong)
        assert (caught.value.key, caught.value.expected, caught.value.actual) == ("a", wrong, 1)
