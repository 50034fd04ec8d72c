"""Finding by an index page by page; what it finds is told in `test_json`."""

from ramax.datatypes.json_find import check_field


async def test_a_search_goes_over_every_page_of_its_index(store):
    await store.json.create_index("$.n")
    await store.json.set_many({f"{n:04}": {"n": n % 3} for n in range(1500)})
    found = await store.json.find("$.n", "lte", 1)
    assert [key for key, _ in found] == [
        f"{n:04}" for rest in (0, 1) for n in range(1500) if n % 3 == rest
    ]
    assert len(await store.json.find("$.n", "in", [0, 1, 2], limit=1100)) == 1100


async def test_a_value_that_only_shares_its_index_key_is_not_found(store):
    await store.json.create_index("$.s")
    long = "x" * 300
    await store.json.set_many({"a": {"s": long + "a"}, "b": {"s": long + "b"}})
    assert [key for key, _ in await store.json.find("$.s", "eq", long + "b")] == ["b"]
    assert [key for key, _ in await store.json.find("$.s", "gt", long + "a")] == ["b"]


def test_a_field_of_two_hundred_bytes_can_be_indexed():
    check_field("$." + "x" * 198, ("x" * 198,))
