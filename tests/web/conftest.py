import pytest

from ramax.sync.memory_layer import MemoryPlace


@pytest.fixture
def place() -> MemoryPlace:
    """What the server of a test serves."""
    return MemoryPlace()
