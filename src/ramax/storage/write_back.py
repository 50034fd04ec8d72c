"""Writing values back in a newer shape: only over the very bytes that were read."""

from collections.abc import Sequence
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy import bindparam as p

from ramax.core.codec import FORMAT_MSGPACK
from ramax.core.state import Packed, Tagged
from ramax.storage.executors import Executor
from ramax.storage.sql import Statement
from ramax.storage.tables import Tables


class Renewal(NamedTuple):
    """A stored value, and the bytes that are to take its place."""

    key: str
    old: Packed
    new: bytes


@Statement
def _replace_exactly(t: Tables) -> sa.Update:
    s = t.pstate
    return (
        sa.update(s)
        .where(
            s.c.space_id == p("of_space"),
            s.c.key == p("of_key"),
            s.c.value == p("old"),
            s.c.format == p("old_format"),
        )
        .values(value=p("new"), format=p("new_format"))
    )


def replace_exactly(ex: Executor, space_id: int, renewals: Sequence[Renewal]) -> list[Renewal]:
    """Replace values that are still what was read; a key that is gone stays gone.

    Who wrote a key and when stays as it is. The caller holds the space's lock and moves its state
    version.

    Returns:
        Those that were replaced.
    """
    return [each for each in renewals if ex.run(_replace_exactly, _params(space_id, each))]


def _params(space_id: int, renewal: Renewal) -> dict[str, object]:
    key, old, new = renewal
    data, form = old if isinstance(old, Tagged) else (old, FORMAT_MSGPACK)
    return {
        "of_space": space_id,
        "of_key": key,
        "old": data,
        "old_format": form,
        "new": new,
        "new_format": FORMAT_MSGPACK,
    }
