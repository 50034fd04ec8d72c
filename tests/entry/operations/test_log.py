import pytest

from ramax import DataError
from tests.entry.operations._calls import call


async def test_the_log(db):
    assert (await call(db, "log_append", event_type="a", payload={"n": 1}))["sequence"] == 1
    entries = [{"event_type": "b", "payload": {}}, {"event_type": "a", "payload": {"n": 2}}]
    assert (await call(db, "log_append_many", entries=entries))["sequences"] == [2, 3]
    entry = (await call(db, "log_get", sequence=2))["entry"]
    assert (entry["sequence"], entry["event_type"], entry["payload"]) == (2, "b", {})
    assert (await call(db, "log_get", sequence=9)) == {"found": False, "entry": None}
    found = await call(db, "log_range", start=1, end=4, reverse=True, event_type="a", limit=1)
    assert [e["sequence"] for e in found["entries"]] == [3]
    since = entry["timestamp"]
    assert len((await call(db, "log_range_by_time", start=since))["entries"]) >= 2
    assert await call(db, "log_len") == {"length": 3}
    assert await call(db, "log_len", event_type="a") == {"length": 2}
    assert await call(db, "log_types") == {"types": {"a": 2, "b": 1}}
    assert (await call(db, "log_verify"))["valid"]
    for wrong in ([5], [{"event_type": "a"}], [{"event_type": "a", "payload": {}, "x": 1}]):
        with pytest.raises(DataError):
            await call(db, "log_append_many", entries=wrong)
