"""Beginning to replicate a space that has a history, and going on under another origin."""

import secrets

from ramax.core.codec import FORMAT_MSGPACK
from ramax.core.sealed import ID_BYTES, check_id
from ramax.core.sync.head import ReplicaHead
from ramax.core.sync.runs import ALONE, Run
from ramax.errors import MisuseError
from ramax.runtime.core import Core
from ramax.runtime.page_fold import facts_of
from ramax.storage import origins, runs, snapshots
from ramax.storage.canonical import read_times
from ramax.storage.canonical_snapshots import drop_canonical_from
from ramax.storage.executors import Executor
from ramax.storage.lineage import lineage_of
from ramax.storage.locks import move_state_version, take_lock
from ramax.storage.replicas import Identity, ensure_identity, set_epoch
from ramax.values import Space

_TAIL = 1000
"""Events that may be left to look at under the lock."""


async def enable(core: Core, space: Space, space_uid: bytes | None) -> bool:
    """Give every event its place, page by page beside live writes, and let the writer go on.

    Nothing is written before the end.

    Returns:
        False if the space was replicated already.

    Raises:
        MisuseError: The space has another id already, holds events of an old format, or values
            that no event wrote.
    """
    if space_uid is not None:
        check_id(space_uid, "space uid")
    new = _Beginning(core, space)
    title = f"beginning to replicate space {space.space_name!r}"
    if await core.locked(title, lambda ex: new.begin(ex, space_uid)):
        return False
    while await core.read(new.look_at_page) > _TAIL:
        pass
    await core.locked(title, new.finish)
    core.cache.forget(space.space_id)
    return True


class _Beginning:
    """The runs of what is there already; each method runs in a transaction of its own."""

    def __init__(self, core: Core, space: Space) -> None:
        self._core, self._space = core, space
        self._after = 0
        self._head = ReplicaHead(b"")
        self._runs: list[Run] = []
        self._identity: Identity | None = None

    def begin(self, ex: Executor, space_uid: bytes | None) -> bool:
        """Make sure of the identity; say whether the space is replicated already."""
        space_id, name = self._space.space_id, self._space.space_name
        take_lock(ex, space_id, name)
        identity = ensure_identity(ex, space_id, self._core.clock(), space_uid)
        if space_uid is not None and space_uid != identity.space_uid:
            raise MisuseError(
                f"space {name!r} is known to its replicas as {identity.space_uid.hex()}, and "
                f"cannot become {space_uid.hex()}"
            )
        if lineage_of(ex, space_id):
            raise MisuseError(
                f"space {name!r} was forked, and what it has of its parent is not its own to "
                "replicate; merge it first"
            )
        key = origins.read_direct(ex, space_id)
        if key is not None:
            raise MisuseError(
                f"pstate key {key!r} of space {name!r} was written by no event: replicas would not "
                "get it; delete such keys first"
            )
        self._identity = identity
        self._head = ReplicaHead(identity.origin)
        return identity.epoch is not None

    def look_at_page(self, ex: Executor) -> int:
        """Give the next events their places; return about how many are left."""
        self._step(ex)
        return facts_of(ex, self._space).guard.last_sequence - self._after

    def finish(self, ex: Executor) -> None:
        """Under the lock: give the rest theirs, write them, and begin."""
        assert self._identity is not None
        space_id = self._space.space_id
        take_lock(ex, space_id, self._space.space_name)
        if facts_of(ex, self._space).guard.replica is not None:
            return  # somebody else was faster
        while self._step(ex):
            pass
        set_epoch(ex, space_id, self._identity, self._head.origin)
        runs.replace_runs(ex, space_id, self._runs)
        origins.write_replica_head(ex, space_id, self._head._replace(rule=ALONE))
        snapshots.drop(ex, space_id)  # they are folds of another order, and with other numbers
        origins.fold_anew(ex, space_id)
        move_state_version(ex, space_id)  # whoever knows the guard must learn of it

    def _step(self, ex: Executor) -> bool:
        space_id = self._space.space_id
        limit = self._core.options.page
        rows = read_times(ex, space_id, after=self._after, upto=self._after + limit)
        for sequence, micros, format_ in rows:
            if format_ != FORMAT_MSGPACK:
                raise MisuseError(
                    f"event {sequence} of space {self._space.space_name!r} has the old format "
                    f"{format_!r}, which replicas do not exchange; import the database first"
                )
            _, run, self._head = self._head.own(sequence, 1, micros)
            if run is not None:
                self._runs.append(run)
            self._after = sequence
        return len(rows) == limit


async def rekey(core: Core, space: Space, origin: bytes, first: int) -> None:
    """Go on under a new origin; nothing happens where the space has another one already.

    The replica was restored from a backup, and others have events of it from ``first`` on that
    are not here. What it wrote under those numbers since then moves to the new origin, so that
    what the others have of the old one can come.
    """

    def work(ex: Executor) -> None:
        take_lock(ex, space.space_id, space.space_name)
        packed = facts_of(ex, space).guard.replica
        if packed is None or ReplicaHead.unpack(packed).origin != origin:
            return
        new = secrets.token_bytes(ID_BYTES)
        moved = runs.move_origin(ex, space.space_id, origin, first, new)
        head = ReplicaHead.unpack(packed)._replace(origin=new, origin_seq=moved, rule=ALONE)
        identity = ensure_identity(ex, space.space_id, core.clock())
        set_epoch(ex, space.space_id, identity, new)
        origins.write_replica_head(ex, space.space_id, head)
        drop_canonical_from(ex, space.space_id)
        origins.fold_anew(ex, space.space_id)  # the order among equal stamps goes by origin
        move_state_version(ex, space.space_id)

    await core.locked(f"giving space {space.space_name!r} a new origin", work)
    core.cache.forget(space.space_id)
