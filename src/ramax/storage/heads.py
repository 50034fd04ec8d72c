"""The newest sequences of many spaces at once, for whoever waits for one of them to move."""

import json
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy import bindparam as p
from sqlalchemy.dialects.postgresql import ARRAY

from ramax.storage.executors import Executor
from ramax.storage.sql import Statement
from ramax.storage.tables import Tables


@Statement
def _heads(t: Tables) -> sa.Select[Any]:
    q = t.space_sequences.c
    if t.dialect == "postgresql":
        wanted = q.space_id == sa.func.any(p("spaces", type_=ARRAY(sa.BigInteger())))
    else:
        listed = sa.func.json_each(p("spaces", type_=sa.Text())).table_valued("value")
        wanted = q.space_id.in_(sa.select(listed.c.value))
    return sa.select(q.space_id, q.last_sequence).where(wanted)


def read_heads(ex: Executor, space_ids: Sequence[int]) -> dict[int, int]:
    """Return the newest sequence of each of these spaces that exists."""
    listed = list(space_ids)
    wanted = listed if ex.tables.dialect == "postgresql" else json.dumps(listed)
    return {row[0]: row[1] for row in ex.rows(_heads, {"spaces": wanted})}
