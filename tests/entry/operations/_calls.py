"""Shared by the tests of the operations."""

import json
from typing import Any

from ramax.core.json_form import to_json


async def call(db: Any, name: str, /, **given: Any) -> Any:
    """Run an operation; what it answers must have a form in JSON."""
    found = await db.call({"type": name, **given})
    json.dumps(to_json(found))
    return found
