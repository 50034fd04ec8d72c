import pytest

from ramax import MisuseError, SpaceNameError, SpaceNotEmptyError, SpaceNotFoundError
from tests.entry.operations._calls import call


async def test_spaces_are_made_listed_and_deleted(db):
    assert await call(db, "spaces_create", space="b") == {"space": "b"}
    assert await call(db, "spaces_create", space="b") == {"space": "b"}
    await call(db, "kv_put", key="k", value=1, space="a")
    assert await call(db, "spaces_list") == {"spaces": ["a", "b", "default"]}
    assert await call(db, "spaces_list", prefix="a") == {"spaces": ["a"]}
    assert await call(db, "spaces_exists", space="a") == {"exists": True}
    assert (await call(db, "spaces_stats", space="a"))["event_count"] == 1
    assert await call(db, "spaces_delete", space="b") == {"deleted": True}
    with pytest.raises(SpaceNotEmptyError):
        await call(db, "spaces_delete", space="a")
    assert await call(db, "spaces_delete", space="a", force=True) == {"deleted": True}
    with pytest.raises(SpaceNotFoundError):
        await call(db, "spaces_delete", space="a", force=True)
    with pytest.raises(MisuseError):
        await call(db, "spaces_delete", space="default", force=True)
    with pytest.raises(SpaceNameError):
        await call(db, "spaces_create", space="_system_x")
