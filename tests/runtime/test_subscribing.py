import pytest

from ramax import DataError
from tests._domains import counter
from tests._each import each


@each("name", ["", "a/b", "pstate", "x" * 201, 5, None, "nul\0"])
async def test_a_name_that_cannot_be_is_refused_at_once(db, name):
    store = await db.content_store("acme", counter())
    for subscribe in (store.subscribe, db.subscribe_all):
        with pytest.raises(DataError, match="subscription name"):
            subscribe(name)


@each(
    "only",
    [{"types": "t"}, {"entities": "e"}, {"types": [""]}, {"entities": [5]}, {"types": ["x" * 256]}],
)
async def test_filters_are_checked_at_once(db, only):
    store = await db.content_store("acme", counter())
    for subscribe in (store.subscribe, db.subscribe_all):
        with pytest.raises(DataError):
            subscribe("s", **only)


@each("partition", [-1, 2, "0", True])
async def test_a_partition_is_one_of_their_number(db, partition):
    with pytest.raises(DataError, match="partition"):
        db.subscribe_all("s", partitions=2, partition=partition)
