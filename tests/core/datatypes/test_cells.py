"""The rules of cells, without a database."""

import pytest

from ramax.core.datatypes import cells
from ramax.errors import VersionConflictError
from tests.core.datatypes._states import Rules


def test_a_cell_counts_its_versions():
    rules = Rules(cells.CELLS)
    rules.do(cells.put, ("a", 1))
    assert rules.do(cells.init, ("a", 5)) == []
    rules.do(cells.cas, ("a", 2, 1))
    rules.do(cells.transition, ("a", lambda value: value + 1))
    assert rules.state == {"v/a": [3, 3]}
    rules.do(cells.delete, "a")
    assert rules.do(cells.delete, "a") == []
    rules.do(cells.init, ("a", 9))
    assert rules.state == {"v/a": [4, 9]}
    assert rules.refolded() == rules.state


def test_a_stale_version_writes_nothing():
    rules = Rules(cells.CELLS)
    rules.do(cells.put, ("a", 1))
    for wrong in (None, 0, 2):
        with pytest.raises(VersionConflictError):
            rules.do(cells.cas, ("a", 2, wrong))
    with pytest.raises(VersionConflictError):
        rules.do(cells.cas, ("new", 1, 1))
    assert rules.state == {"v/a": [1, 1]}


def test_the_function_of_a_transition_gets_none_where_there_is_no_value():
    rules = Rules(cells.CELLS)
    rules.do(cells.transition, ("a", lambda value: [value]))
    assert rules.state == {"v/a": [1, [None]]}
