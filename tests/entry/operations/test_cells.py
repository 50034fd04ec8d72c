import pytest

from ramax import VersionConflictError
from tests.entry.operations._calls import call


async def test_cells(db):
    assert (await call(db, "cells_init", name="c", value=1))["version"] == 1
    assert (await call(db, "cells_init", name="c", value=2))["version"] is None
    assert (await call(db, "cells_set", name="c", value=3))["version"] == 2
    assert (await call(db, "cells_cas", name="c", value=4, expected_version=2))["version"] == 3
    with pytest.raises(VersionConflictError):
        await call(db, "cells_cas", name="c", value=5)
    assert await call(db, "cells_get", name="c") == {"found": True, "value": 4, "version": 3}
    assert (await call(db, "cells_get", name="x"))["found"] is False
    assert await call(db, "cells_list") == {"names": ["c"]}
    assert await call(db, "cells_delete", name="c") == {"deleted": True}
    assert [v["version"] for v in (await call(db, "cells_history", name="c"))["versions"]] == [
        None,
        3,
        2,
        1,
    ]
