import pytest

from ramax.errors import DataError
from ramax.sync.memory_layer import MemoryLayer
from ramax.sync.terms import Terms


def test_a_space_without_a_layer_that_commits_wait_for_is_refused():
    terms = Terms(durability=frozenset({"server", "backup"}))
    terms.check_durability([MemoryLayer(layer_id="server"), MemoryLayer(layer_id="backup")])
    with pytest.raises(DataError, match="backup"):
        terms.check_durability([MemoryLayer(layer_id="server")])
