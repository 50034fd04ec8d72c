from tests.entry.operations._calls import call


async def test_keys_and_values(db):
    done = await call(db, "kv_put", key="a", value={"n": 1})
    assert (done["space_sequence"], len(done["event_ids"])) == (1, 1)
    await call(db, "kv_put_many", values={"b": None, "c": 3})
    assert await call(db, "kv_get", key="b") == {"found": True, "value": None}
    assert await call(db, "kv_get", key="x") == {"found": False, "value": None}
    assert await call(db, "kv_get", key="c", as_of=1) == {"found": False, "value": None}
    assert await call(db, "kv_get_many", keys=["c", "x"]) == {"values": {"c": 3}}
    assert await call(db, "kv_exists", key="a") == {"exists": True}
    assert await call(db, "kv_list", prefix="", limit=2, after="a") == {"keys": ["b", "c"]}
    assert await call(db, "kv_count") == {"count": 3}
    assert await call(db, "kv_delete", key="a") == {"deleted": True}
    assert len((await call(db, "kv_delete_many", keys=["b", "x"]))["event_ids"]) == 1
    [gone, put] = (await call(db, "kv_history", key="a"))["versions"]
    assert (gone["deleted"], put["value"], put["space_sequence"]) == (True, {"n": 1}, 1)
