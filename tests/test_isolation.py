"""Nothing of one space is ever seen, or changed, through another.

Two spaces hold the same entity ids and keys with values of their own; every public method is called
for the one, and the other must be in no answer and stay as it is, byte by byte.
"""

import asyncio
import gc
import importlib
import inspect
import pkgutil
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import create_async_engine

import ramax
import ramax.storage
from ramax import (
    ContentStore,
    Database,
    Domain,
    NewEvent,
    Query,
    Ref,
    SpaceManager,
    Transaction,
    field,
)
from ramax.core.datatypes.kv import KV
from ramax.entry import Past, TransactionScope
from ramax.entry.registry import SpaceRegistry
from ramax.errors import ConcurrencyError, EventNotFoundError
from ramax.runtime.checkpoints import CheckpointRepository
from ramax.runtime.event_log import EventLog
from ramax.runtime.past import PastEvents, PastPState
from ramax.runtime.pstate import SpacePState
from ramax.runtime.pstate_reader import PStateReader
from ramax.runtime.pstate_repository import PStateRepository
from ramax.runtime.scope import TransactionPState
from ramax.runtime.snapshots import SpaceSnapshots
from ramax.runtime.space_events import SpaceEvents
from ramax.runtime.subscription import Subscription
from ramax.runtime.subscriptions import SubscriptionRepository
from ramax.secrets import Secrets
from ramax.secrets.vault import Vault
from ramax.storage import forking
from ramax.storage.deletion import delete_statements
from ramax.storage.sql import Statement
from ramax.storage.tables import HEAD, TOKENS_TABLE, build_tables
from ramax.storage.text_waiting import read_waiting
from ramax.sync import MemoryLayer
from ramax.sync.memory_layer import MemoryPlace
from tests._domains import documents
from tests._merging import took_over
from tests._reading import park, until
from tests._replicas import came_from, heard_of, looked_back, postponed, refused
from tests._tables import Dump, dump, of_space, without_space
from tests._vectors import copied
from tests.secrets._vaults import OneKey

MINE, THEIRS = "mine", "theirs"
MASTER = OneKey()
KEYS = [f"k{n}" for n in range(5)]


def fill(state: Any, params: Any) -> list[NewEvent]:
    """Put a value that shows whose it is under every key."""
    return [
        NewEvent(
            "doc.put",
            {"of": params, "see": Ref("k0")},
            entity_id=key,
            metadata={"of": params},
            tags=["same", f"of:{params}"],
        )
        for key in KEYS
    ]


class Two:
    """A database with two spaces of the same shape."""

    def __init__(self, db: Database, mine: ContentStore, theirs: ContentStore) -> None:
        self.db, self.mine, self.theirs = db, mine, theirs
        self.before: Dump = {}

    @property
    def space(self) -> ramax.Space:
        return self.mine.space

    async def my_id(self) -> int:
        return (await self.mine.events.get_events("k0"))[0].event_id

    async def their_id(self) -> int:
        return (await self.theirs.events.get_events("k0"))[0].event_id


def linked_documents() -> Domain:
    """Documents, and an index of what those of a type refer to."""
    domain = documents()

    @domain.entity("link")
    class Link:
        of: str
        see: Ref = field(index=True)

    projection = domain.projection("docs", into=docs)

    @projection.on("doc.put")
    def put(event: Any) -> Iterator[Any]:
        yield projection.upsert(
            docs, {"entity_id": event.entity_id, "of": str(event.payload.get("of"))}
        )
        yield sa.update(docs).values(seen=docs.c.seen + 1)  # of the space, though it does not say

    return domain


docs = sa.Table(
    "leak_docs",
    sa.MetaData(),
    sa.Column("space_id", sa.BigInteger, primary_key=True),
    sa.Column("entity_id", sa.Text, primary_key=True),
    sa.Column("of", sa.Text),
    sa.Column("seen", sa.Integer, server_default="0"),
)


async def dump_all(db: Database) -> Dump:
    """What is in the tables of ramax, and in those of the projection."""
    async with db.connection() as connection:
        rows = (await connection.execute(sa.select(docs))).mappings().all()
        await connection.rollback()
    return {**await dump(db), "leak_docs": [dict(row) for row in rows]}


@pytest.fixture
async def two(durable_db: Database) -> Two:
    """On SQLite in memory the statements are those of a file: once is enough."""
    db = durable_db
    stores = []
    async with db.connection() as connection:
        await connection.run_sync(docs.metadata.create_all)
        await connection.commit()
    for name in (THEIRS, MINE):
        store = await db.content_store(name, linked_documents(), metadata={"of": name})
        await store.execute(fill, name, idempotency_key="same", correlation_id=name)
        await store.pstate.put("direct", {"of": name})
        await store.pstate.put("link:1", {"of": name, "see": Ref("k0")})
        assert await drain(store.pstate.referrers("k0")) == ["link:1"]
        await store.update_checkpoint(3, name="reader")
        await db.spaces.enable_hash_chain(name)
        await db.spaces.enable_search(name, fields={"": ["of"]}, mode="async")
        await store.pstate.put("direct", {"of": name})  # its text waits
        await store.snapshots.take(4)
        async with store.subscribe("subscription", start=2) as s:
            await s.ack(await anext(s))
        await park(db, store.space.space_id, name)
        await took_over(db, store.space.space_id)

        await came_from(db, store.space.space_id)
        await heard_of(db, store.space)
        await looked_back(db, store.space.space_id)
        await refused(db, store.space)
        await copied(db, store.space.space_id)
        await postponed(db, store.space)
        await sealed(store).set("k0", name)
        stores.append(store)
    made = Two(db, stores[1], stores[0])
    made.before = await dump_all(db)
    return made


def sealed(store: ContentStore) -> Secrets:
    """The secrets of a store, as a process with the master key sees them."""
    return Secrets(store._core, store.space, Vault(MASTER))


async def drain(stream: AsyncIterator[Any]) -> list[Any]:
    return [each async for each in stream]


async def in_transaction(two: Two, step: Callable[[Any], Awaitable[Any]]) -> Any:
    async with two.db.transaction(two.mine) as tx:
        return await step(tx)


async def in_reader(two: Two, step: Callable[[Any], Awaitable[Any]]) -> Any:
    async with two.mine.pstate.reader() as reader:
        return await step(reader)


async def sequence_of(reader: Any) -> int:
    return int(reader.sequence)


async def name_of_scope(tx: Any) -> str:
    return str(tx.at(MINE).name)


async def joined(two: Two) -> Any:
    async with (
        two.db.connection() as connection,
        connection.begin(),
        two.mine.join(connection) as tx,
    ):
        found = await tx.pstate.get_many([*KEYS, "direct"])
        return [found, await tx.append("k0", "doc.put", {"of": MINE})]


async def in_an_older_shape(two: Two) -> Any:
    declared = Domain.combine(documents(), Domain("declared", schema={"k": Numbered}))
    for store in (two.mine, two.theirs):
        await store.pstate.put("k:1", {"n": "1"})
    two.before = await dump_all(two.db)
    mine = await two.db.content_store(two.mine.space, declared)
    found = await mine.pstate.get("k:1")
    return [found, await mine.pstate.flush_migrations(), mine.pstate.migration_stats()]


class Numbered:
    n: int = field(migrate=int)


async def in_a_space(two: Two, step: Callable[[Any], Awaitable[Any]]) -> Any:
    async with two.db.in_space(MINE) as view:
        return await step(view)


async def managed(two: Two, step: Callable[[SpaceManager], Awaitable[Any]]) -> Any:
    """Take a step in a manager that has the space open, with a layer."""
    places = {MINE: MemoryPlace(), THEIRS: MemoryPlace()}
    for key in ("direct", "link:1"):  # written by no event: replicas would not get them
        await two.mine.pstate.delete(key)
    async with SpaceManager(
        two.db, lambda ref: [MemoryLayer(places.setdefault(ref.name, MemoryPlace()))]
    ) as manager:
        await manager.add(two.mine)
        answer = await step(manager)
        assert places[THEIRS].space_uid is None
        return answer


async def told(manager: SpaceManager, *, step: Callable[[], Awaitable[Any]]) -> Any:
    heard = manager.events()
    await step()
    return await anext(heard)


async def retried(manager: SpaceManager) -> None:
    manager.retry(MINE)


async def now(answer: Any) -> Any:
    return answer


async def its_connection(tx: Any) -> bool:
    return bool(tx.connection.in_transaction())


async def borrowed(two: Two) -> None:
    async with two.db.connection():
        pass


async def reacted(two: Two, run: Callable[[Any], Awaitable[Any]]) -> Any:
    domain, found = documents(), []

    @domain.reaction("doc.put", name="r")
    async def react(event: Any, reaction: Any) -> None:
        found.append([event, reaction.deduplication_id, await reaction.store.pstate.get("k0")])

    await run(await two.db.content_store(MINE, domain))
    return found


async def projected_later(two: Two) -> Any:
    domain = documents()

    @domain.projection("later", into=docs, mode="async").on("doc.put")
    def put(event: Any) -> Iterator[Any]:
        yield sa.delete(docs)
        yield sa.insert(docs).values(entity_id=event.entity_id, of=MINE)

    store = await two.db.content_store(MINE, domain)
    await store.run_projections(follow=False)
    return await store.wait_for("later")


async def reprojected(two: Two) -> Any:
    await two.mine.events.append("k9", "doc.put", {"of": MINE})
    return await two.mine.rebuild("docs")


async def drain_subscription(subscription: Any) -> Any:
    async with subscription as s:
        return [event async for event in s]


async def skipped(two: Two) -> None:
    (event,) = await two.db.subscriptions.parked("subscription", space=MINE)
    await two.db.subscriptions.skip("subscription", event, space=MINE)


async def subscribed(two: Two, step: Callable[[Any, Any], Awaitable[Any]]) -> Any:
    async with two.mine.subscribe("s", follow=False) as s:
        event = await anext(s)
        return [event, await step(s, event)]


async def in_its_transaction(s: Any, event: Any) -> Any:
    async with s.transaction(event) as tx:
        return [await tx.execute(fill, MINE), await tx.pstate.get_many(KEYS)]


async def handled(s: Any, event: Any) -> Any:
    found = [event]

    async def handler(event: Any, tx: Any) -> None:
        found.append((event, await tx.append("k0", "doc.put", {"of": MINE})))
        if len(found) > 5:
            raise RuntimeError

    await s.run(handler, transaction=True, on_error="park", attempts=1)
    return found


async def over_its_space(s: Any, event: Any) -> Any:
    async with s.transaction_over(await s._core.resolve(event.space_id)) as tx:
        return await tx.pstate.get_many(KEYS)


async def at_hand(s: Any, event: Any) -> Any:
    made = [s.position_of(event), s.place_behind(event).at, [s.events_of(row) for row in s._rows]]
    s.begin_again()
    return [made, await drain(s)]


async def to_the_end(s: Any, event: Any) -> Any:
    await drain(s)
    await s.wait_caught_up()
    return [s.position, s.active, s.caught_up]


Verb = Callable[[Two], Any]


async def chained_anew(two: Two) -> Any:
    await two.db.spaces.disable_hash_chain(MINE)
    return await two.db.spaces.enable_hash_chain(two.space)


async def found_text(two: Two, search: Awaitable[Any]) -> Any:
    found = await search
    assert found
    assert await two.mine.search(THEIRS) == []
    return found


def in_the_past(look: Callable[[Past], Any]) -> Verb:
    async def verb(two: Two) -> Any:
        return look(await two.mine.as_of(3))

    return verb


EITHER = f"{THEIRS} OR {MINE} OR before"


async def indexed(two: Two) -> None:
    worker = asyncio.create_task(two.db.run_text_index(MINE))
    await until(lambda: two.db._core.read(lambda ex: waits_no_more(ex, two.space.space_id)))
    worker.cancel()
    with pytest.raises(asyncio.CancelledError):
        await worker


def waits_no_more(ex: Any, space_id: int) -> bool:
    return not read_waiting(ex, space_id, limit=1)


A_PUT = NewEvent("doc.put", {"of": MINE}, entity_id="k0")
MATCH_OF_THEIRS = Query(tags=[f"of:{THEIRS}"])

# Every public method of everything a user holds, by class: what it is called with. Methods that
# are about all spaces on purpose are in ABOUT_ALL, with the reason.
MATRIX: dict[type, dict[str, Verb]] = {
    SpaceRegistry: {
        "get": lambda t: t.db.spaces.get(MINE),
        "get_or_create": lambda t: t.db.spaces.get_or_create(MINE, {"of": "x"}),
        "find_by_name": lambda t: t.db.spaces.find_by_name(MINE),
        "find_by_id": lambda t: t.db.spaces.find_by_id(t.space.space_id),
        "exists": lambda t: t.db.spaces.exists(MINE),
        "create": lambda t: t.db.spaces.create("third"),
        "clone": lambda t: t.db.spaces.clone(MINE, "third"),
        "rename": lambda t: t.db.spaces.rename(MINE, "renamed"),
        "update_metadata": lambda t: t.db.spaces.update_metadata(MINE, {"of": MINE, "n": 1}),
        "delete": lambda t: t.db.spaces.delete(MINE, force=True),
        "enable_hash_chain": lambda t: chained_anew(t),
        "disable_hash_chain": lambda t: t.db.spaces.disable_hash_chain(t.space),
        "index_texts": lambda t: t.db.spaces.index_texts(MINE),
        "enable_search": lambda t: t.db.spaces.enable_search(MINE),
        "disable_search": lambda t: t.db.spaces.disable_search(t.space),
        "hash_chain_head": lambda t: t.db.spaces.hash_chain_head(MINE),
    },
    EventLog: {
        "append": lambda t: t.db.events.append(MINE, "k0", "doc.put", {"of": MINE}),
        "append_many": lambda t: t.db.events.append_many(t.space, [A_PUT] * 3),
        "stream": lambda t: drain(t.db.events.stream(MINE, Query(tags=["same"]), reverse=True)),
        "last": lambda t: t.db.events.last(MINE, 3, Query(["doc.put"])),
        "caused_by": lambda t: drain(t.db.events.caused_by(MINE, 1)),
        "correlated": lambda t: drain(t.db.events.correlated(MINE, THEIRS)),
        "append_if": lambda t: t.db.events.append_if(MINE, [A_PUT], no_match=MATCH_OF_THEIRS),
        "get_entity_version": lambda t: t.db.events.get_entity_version(MINE, "k0"),
        "get_events": lambda t: t.db.events.get_events(MINE, "k0"),
        "stream_space_events": lambda t: drain(t.db.events.stream_space_events(t.space)),
        "stream_entity_events": lambda t: drain(t.db.events.stream_entity_events(MINE, "k1")),
        "get_space_latest_sequence": lambda t: t.db.events.get_space_latest_sequence(MINE),
    },
    PStateRepository: {
        "get": lambda t: t.db.pstate.get(MINE, "k0"),
        "get_many": lambda t: t.db.pstate.get_many(MINE, [*KEYS, "direct"]),
        "scan": lambda t: drain(t.db.pstate.scan(t.space)),
        "put": lambda t: t.db.pstate.put(MINE, "direct", {"of": MINE, "n": 2}),
        "delete": lambda t: t.db.pstate.delete(MINE, "direct"),
    },
    CheckpointRepository: {
        "get": lambda t: t.db.checkpoints.get(MINE, "reader"),
        "list": lambda t: t.db.checkpoints.list(MINE),
        "advance": lambda t: t.db.checkpoints.advance(MINE, "reader", 5, expected=3),
    },
    ContentStore: {
        "execute": lambda t: t.mine.execute(fill, MINE),
        "execute_many": lambda t: t.mine.execute_many([(fill, MINE)] * 2),
        "rebuild_pstate": lambda t: t.mine.rebuild_pstate(),
        "catchup_pstate": lambda t: t.mine.catchup_pstate(),
        "migrate_pstate": lambda t: t.mine.migrate_pstate(),
        "get_checkpoint": lambda t: t.mine.get_checkpoint("reader"),
        "update_checkpoint": lambda t: t.mine.update_checkpoint(5, name="reader"),
        "transaction": lambda t: in_transaction(t, lambda tx: tx.execute(fill, MINE)),
        "join": joined,
        "verify": lambda t: t.mine.verify(),
        "run_reactions": lambda t: reacted(t, lambda store: store.run_reactions(follow=False)),
        "run_projections": projected_later,
        "rebuild": reprojected,
        "wait_for": lambda t: t.mine.wait_for("docs"),
        "subscribe": lambda t: drain_subscription(t.mine.subscribe("s", follow=False)),
        "secrets": lambda t: t.mine.secrets.list(),
        "replica": lambda t: t.mine.replica.enabled(),
        "as_of": lambda t: t.mine.as_of(3).pstate.get_many(KEYS),
        "at": lambda t: t.theirs.at(MINE).kv.put("k0", 1),
        "part": lambda t: t.mine.part(KV).get("k0"),
        "search": lambda t: found_text(t, t.mine.search(EITHER)),
        "kv": lambda t: t.mine.kv.put("k0", 1),
        "log": lambda t: t.mine.log.append("t", {}),
        "cells": lambda t: t.mine.cells.set("k0", 1),
        "state": lambda t: t.mine.state.set("k0", 1),
        "json": lambda t: t.mine.json.set("k0", 1),
        "vectors": lambda t: t.mine.vectors.create_collection("c", 2),
        "tree": lambda t: t.mine.tree("t").create(node="k0"),
        "text": lambda t: t.mine.text("t").append("k0"),
    },
    Secrets: {
        "set": lambda t: sealed(t.mine).set("k0", MINE),
        "get": lambda t: sealed(t.mine).get("k0"),
        "list": lambda t: sealed(t.mine).list(),
        "delete": lambda t: sealed(t.mine).delete("k0"),
        "rotate": lambda t: sealed(t.mine).rotate(forget_old=True),
        "rewrap": lambda t: sealed(t.mine).rewrap(MASTER),
        "destroy": lambda t: sealed(t.mine).destroy(),
    },
    SpaceSnapshots: {
        "take": lambda t: t.mine.snapshots.take(),
        "list": lambda t: t.mine.snapshots.list(),
        "prune": lambda t: t.mine.snapshots.prune(),
    },
    Past: {
        "part": lambda t: t.mine.as_of(3).part(KV).get("k0"),
        "kv": lambda t: t.mine.as_of(3).kv.list(),
        "log": lambda t: t.mine.as_of(3).log.len(),
        "cells": lambda t: t.mine.as_of(3).cells.list(),
        "state": lambda t: t.mine.as_of(3).state.list(),
        "json": lambda t: t.mine.as_of(3).json.list(),
        "vectors": lambda t: t.mine.as_of(3).vectors.list_collections(),
        "tree": lambda t: t.mine.as_of(3).tree("t").children(),
        "text": lambda t: t.mine.as_of(3).text("t").get(),
        "point": lambda t: t.mine.as_of(3).point(),
        "folded": lambda t: t.mine.as_of(3).folded(),
        "sequence": in_the_past(lambda past: past.sequence),
        "timestamp": in_the_past(lambda past: past.timestamp),
        "check_open": in_the_past(lambda past: past.check_open()),
        "close": lambda t: t.mine.as_of(3).close(),
        "search": lambda t: found_text(t, t.mine.as_of(5).search(EITHER)),
    },
    PastPState: {
        "fetch": lambda t: t.mine.as_of(3).pstate.fetch("k0"),
        "get": lambda t: t.mine.as_of(3).pstate.get("k1"),
        "get_many": lambda t: t.mine.as_of(3).pstate.get_many(KEYS),
        "scan": lambda t: drain(t.mine.as_of(5).pstate.scan("k")),
        "count": lambda t: t.mine.as_of(5).pstate.count(),
        "get_resolved": lambda t: t.mine.as_of(5).pstate.get_resolved("k3"),
        "get_path": lambda t: t.mine.as_of(5).pstate.get_path("k3", "see.of", follow=True),
    },
    PastEvents: {
        "stream": lambda t: drain(t.mine.as_of(5).events.stream(Query(tags=["same"]))),
        "get_events": lambda t: t.mine.as_of(5).events.get_events("k0"),
        "stream_space_events": lambda t: drain(t.mine.as_of(5).events.stream_space_events()),
        "stream_entity_events": lambda t: drain(t.mine.as_of(5).events.stream_entity_events("k1")),
        "get_space_latest_sequence": lambda t: t.mine.as_of(5).events.get_space_latest_sequence(),
    },
    SpaceEvents: {
        "append": lambda t: t.mine.events.append("k0", "doc.put", {"of": MINE}),
        "append_many": lambda t: t.mine.events.append_many([A_PUT]),
        "stream": lambda t: drain(t.mine.events.stream(Query(tags=["same"]), reverse=True)),
        "last": lambda t: t.mine.events.last(3, Query(["doc.put"])),
        "caused_by": lambda t: drain(t.mine.events.caused_by(1)),
        "correlated": lambda t: drain(t.mine.events.correlated(THEIRS)),
        "append_if": lambda t: t.mine.events.append_if([A_PUT], no_match=MATCH_OF_THEIRS),
        "get_entity_version": lambda t: t.mine.events.get_entity_version("k0"),
        "get_events": lambda t: t.mine.events.get_events("k0"),
        "stream_space_events": lambda t: drain(t.mine.events.stream_space_events()),
        "stream_entity_events": lambda t: drain(t.mine.events.stream_entity_events("k1")),
        "get_space_latest_sequence": lambda t: t.mine.events.get_space_latest_sequence(),
    },
    SpacePState: {
        "fetch": lambda t: t.mine.pstate.fetch("k0"),
        "get": lambda t: t.mine.pstate.get("direct"),
        "get_many": lambda t: t.mine.pstate.get_many([*KEYS, "direct"]),
        "scan": lambda t: drain(t.mine.pstate.scan("k")),
        "count": lambda t: t.mine.pstate.count(),
        "get_resolved": lambda t: t.mine.pstate.get_resolved("k3"),
        "get_path": lambda t: t.mine.pstate.get_path("k3", "see.of", follow=True),
        "preload": lambda t: t.mine.pstate.preload("k3", "see"),
        "reader": lambda t: in_reader(t, lambda reader: drain(reader.scan())),
        "referrers": lambda t: drain(t.mine.pstate.referrers("k0")),
        "migration_stats": in_an_older_shape,
        "flush_migrations": in_an_older_shape,
        "put": lambda t: t.mine.pstate.put("direct", {"of": MINE, "n": 3}),
        "delete": lambda t: t.mine.pstate.delete("direct"),
    },
    PStateReader: {
        "sequence": lambda t: in_reader(t, sequence_of),
        "fetch": lambda t: in_reader(t, lambda reader: reader.fetch("k0")),
        "get": lambda t: in_reader(t, lambda reader: reader.get("direct")),
        "get_many": lambda t: in_reader(t, lambda reader: reader.get_many([*KEYS, "direct"])),
        "scan": lambda t: in_reader(t, lambda reader: drain(reader.scan())),
        "count": lambda t: in_reader(t, lambda reader: reader.count()),
        "get_resolved": lambda t: in_reader(t, lambda reader: reader.get_resolved("k3")),
        "get_path": lambda t: in_reader(
            t, lambda reader: reader.get_path("k3", "see.of", follow=True)
        ),
        "preload": lambda t: in_reader(t, lambda reader: reader.preload("k3", "see")),
    },
    Transaction: {
        "execute": lambda t: in_transaction(t, lambda tx: tx.execute(fill, MINE)),
        "execute_many": lambda t: in_transaction(t, lambda tx: tx.execute_many([(fill, MINE)])),
        "append": lambda t: in_transaction(t, lambda tx: tx.append("k0", "doc.deleted", {})),
        "append_many": lambda t: in_transaction(t, lambda tx: tx.append_many([A_PUT])),
        "append_if": lambda t: in_transaction(
            t, lambda tx: tx.append_if([A_PUT], no_match=MATCH_OF_THEIRS)
        ),
        "at": lambda t: in_transaction(t, lambda tx: tx.at(MINE).pstate.get("k0")),
        "enter": lambda t: in_transaction(t, lambda tx: tx.enter(MINE)),
        "connection": lambda t: in_transaction(t, its_connection),
        "pstate": lambda t: in_transaction(t, lambda tx: tx.pstate.get("k0")),
        "look": lambda t: in_transaction(t, lambda tx: tx.look(MINE)),
        "part": lambda t: in_transaction(t, lambda tx: tx.part(KV).get("k0")),
        "search": lambda t: in_transaction(t, lambda tx: tx.search(EITHER)),
        "kv": lambda t: in_transaction(t, lambda tx: tx.kv.put("k0", 1)),
        "log": lambda t: in_transaction(t, lambda tx: tx.log.append("t", {})),
        "cells": lambda t: in_transaction(t, lambda tx: tx.cells.set("k0", 1)),
        "state": lambda t: in_transaction(t, lambda tx: tx.state.set("k0", 1)),
        "json": lambda t: in_transaction(t, lambda tx: tx.json.set("k0", 1)),
        "vectors": lambda t: in_transaction(t, lambda tx: tx.vectors.create_collection("c", 2)),
        "tree": lambda t: in_transaction(t, lambda tx: tx.tree("t").create(node="k0")),
        "text": lambda t: in_transaction(t, lambda tx: tx.text("t").append("k0")),
    },
    TransactionScope: {
        "part": lambda t: in_transaction(t, lambda tx: tx.at(MINE).part(KV).get("k0")),
        "kv": lambda t: in_transaction(t, lambda tx: tx.at(MINE).kv.put("k0", 1)),
        "log": lambda t: in_transaction(t, lambda tx: tx.at(MINE).log.append("t", {})),
        "cells": lambda t: in_transaction(t, lambda tx: tx.at(MINE).cells.set("k0", 1)),
        "state": lambda t: in_transaction(t, lambda tx: tx.at(MINE).state.set("k0", 1)),
        "json": lambda t: in_transaction(t, lambda tx: tx.at(MINE).json.set("k0", 1)),
        "vectors": lambda t: in_transaction(t, lambda tx: tx.at(MINE).vectors.list_collections()),
        "tree": lambda t: in_transaction(t, lambda tx: tx.at(MINE).tree("t").children()),
        "text": lambda t: in_transaction(t, lambda tx: tx.at(MINE).text("t").append("k0")),
        "execute": lambda t: in_transaction(t, lambda tx: tx.at(t.mine).execute(fill, MINE)),
        "execute_many": lambda t: in_transaction(
            t, lambda tx: tx.at(t.mine).execute_many([(fill, MINE)])
        ),
        "append": lambda t: in_transaction(t, lambda tx: tx.at(MINE).append("k0", "x", {})),
        "append_many": lambda t: in_transaction(t, lambda tx: tx.at(MINE).append_many([A_PUT])),
        "append_if": lambda t: in_transaction(
            t, lambda tx: tx.at(MINE).append_if([A_PUT], no_match=MATCH_OF_THEIRS)
        ),
        "pstate": lambda t: in_transaction(t, lambda tx: tx.at(t.mine).pstate.get("k1")),
        "read": lambda t: in_transaction(t, lambda tx: tx.at(t.mine).read(["k1"])),
        "page": lambda t: in_transaction(t, lambda tx: tx.at(t.mine).page("", "", 100)),
        "name": lambda t: in_transaction(t, name_of_scope),
        "search": lambda t: in_transaction(t, lambda tx: tx.at(t.mine).search(EITHER)),
    },
    TransactionPState: {
        "get": lambda t: in_transaction(t, lambda tx: tx.pstate.get("direct")),
        "get_many": lambda t: in_transaction(t, lambda tx: tx.pstate.get_many(KEYS)),
        "fetch": lambda t: in_transaction(t, lambda tx: tx.pstate.fetch("k0")),
        "scan": lambda t: in_transaction(t, lambda tx: drain(tx.pstate.scan())),
        "get_resolved": lambda t: in_transaction(t, lambda tx: tx.pstate.get_resolved("k3")),
        "get_path": lambda t: in_transaction(
            t, lambda tx: tx.pstate.get_path("k3", "see.of", follow=True)
        ),
    },
    SubscriptionRepository: {
        "list": lambda t: t.db.subscriptions.list(MINE),
        "pause": lambda t: t.db.subscriptions.pause("subscription", space=MINE),
        "resume": lambda t: t.db.subscriptions.resume("subscription", space=MINE),
        "parked": lambda t: t.db.subscriptions.parked("subscription", space=MINE),
        "retry": lambda t: t.db.subscriptions.retry("subscription", space=MINE),
        "skip": skipped,
        "delete": lambda t: t.db.subscriptions.delete("subscription", space=MINE),
    },
    Subscription: {
        "ack": lambda t: subscribed(t, lambda s, event: s.ack(event)),
        "transaction": lambda t: subscribed(t, in_its_transaction),
        "next_rows": lambda t: subscribed(t, lambda s, _: s.next_rows(3)),
        "transaction_over": lambda t: subscribed(t, over_its_space),
        "ack_with": lambda t: subscribed(t, lambda s, event: s.ack_with(event, lambda ex: None)),
        "run": lambda t: subscribed(t, handled),
        "position_of": lambda t: subscribed(t, at_hand),
        "place_behind": lambda t: subscribed(t, at_hand),
        "events_of": lambda t: subscribed(t, at_hand),
        "begin_again": lambda t: subscribed(t, at_hand),
        "next_event": lambda t: subscribed(t, lambda s, _: s.next_event()),
        "wait_caught_up": lambda t: subscribed(t, to_the_end),
        "position": lambda t: subscribed(t, to_the_end),
        "active": lambda t: subscribed(t, to_the_end),
        "caught_up": lambda t: subscribed(t, to_the_end),
    },
    SpaceManager: {
        "create": lambda t: managed(t, lambda m: m.create("third")),
        "add": lambda t: managed(t, lambda m: now(m.get(MINE))),
        "load": lambda t: managed(t, lambda m: m.load(MINE)),
        "get": lambda t: managed(t, lambda m: now(m.get(MINE))),
        "status": lambda t: managed(t, lambda m: m.status(MINE)),
        "events": lambda t: managed(t, lambda m: told(m, step=lambda: m.close(MINE))),
        "add_layer": lambda t: managed(
            t, lambda m: m.add_layer(MINE, MemoryLayer(layer_id="another"))
        ),
        "remove_layer": lambda t: managed(t, lambda m: m.remove_layer(MINE, "memory")),
        "retry": lambda t: managed(t, retried),
        "flush": lambda t: managed(t, lambda m: m.flush(MINE)),
        "close": lambda t: managed(t, lambda m: m.close(MINE)),
        "active": lambda t: managed(t, lambda m: now(m.active())),
    },
    Database: {
        "in_space": lambda t: in_a_space(t, lambda s: s.kv.put("k0", 1)),
        "run_text_index": indexed,
        "search": lambda t: found_text(t, t.db.search(EITHER, spaces=[MINE])),
        "content_store": lambda t: t.db.content_store(MINE, documents()),
        "transaction": lambda t: in_transaction(t, lambda tx: tx.execute(fill, MINE)),
        "run_transaction": lambda t: t.db.run_transaction(
            lambda tx: tx.execute(fill, MINE), t.mine
        ),
        "connection": borrowed,
        "verify": lambda t: drain(t.db.verify(MINE, documents())),
        "upgrade": lambda t: t.db.upgrade(),
        "current_revision": lambda t: t.db.current_revision(),
    },
}
ABOUT_ALL: dict[type, dict[str, str]] = {
    SpaceRegistry: {
        "list_all": "the list of spaces",
        "stats": "a line for each space; of one space it is tested below",
        "promote": "takes from one space into another, on purpose",
        "preview_promote": "looks at two spaces, on purpose",
    },
    EventLog: {
        "get_event": "finds by an id that is unique over all spaces",
        "stream_all_events": "the feed of all spaces",
        "get_latest_event_id": "the end of that feed",
    },
    SpaceEvents: {"get_event": "tested below: what is another space's is not found"},
    PastEvents: {"get_event": "tested below: what is another space's is not found"},
    Transaction: {
        "rehearse": "runs a step on nothing at all",
        "run": "runs any function; the verbs above are made of it",
        "run_job": "runs a step of one space that is locked; the verbs above are made of it",
        "read": "reads keys of one space that is locked; the verbs above are made of it",
        "wanted": "names spaces that it locked by the verbs above, for who begins again",
    },
    SpaceManager: {"aclose": "ends it"},
    Database: {
        "at_branch": "another set of spaces; tested below",
        "branches": "sets of spaces: tests/branches",
        "close": "ends it",
        "call": "runs a verb of the space that it names: tests/entry/operations",
        "observe": "whoever watches, watches the whole database",
        "subscribe_all": "reads all spaces",
        "run_reactions": "likewise",
        "clean_projections": "deletes rows of spaces that are gone; tested with projections",
    },
}
CASES = [
    pytest.param(kind, name, id=f"{kind.__name__}.{name}")
    for kind, verbs in MATRIX.items()
    for name in verbs
]


def public_methods(kind: type) -> Iterator[str]:
    for name, member in inspect.getmembers(kind):
        if not name.startswith("_") and (
            inspect.isfunction(member) or isinstance(member, property)
        ):
            yield name


@pytest.mark.parametrize("kind", MATRIX, ids=lambda kind: kind.__name__)
def test_every_public_method_is_in_the_matrix_or_named_as_being_about_all(kind: type) -> None:
    listed = set(MATRIX[kind]) | set(ABOUT_ALL.get(kind, {})) | {"closed"}
    assert set(public_methods(kind)) - listed == set()
    assert (listed - {"closed"}) - {n for n, _ in inspect.getmembers(kind)} == set()


def test_every_object_that_a_user_holds_is_in_the_matrix() -> None:
    held = {
        type(value)
        for owner in (Database, ContentStore)
        for value in _parts(owner)
        if type(value).__module__.startswith(("ramax.runtime", "ramax.entry.registry"))
    }
    assert held - set(MATRIX) == set()


def _parts(owner: type) -> Iterator[object]:
    """What the handles hold, made over a core that is never asked anything."""
    core: Any = object()
    if owner is Database:
        yield from vars(Database(core, core, owns_engine=False)).values()
    else:
        store = ContentStore(core, ramax.Space(1, "x", ramax.values.EPOCH), None)
        for kind in ContentStore.__mro__[:-1]:
            for name in vars(kind).get("__slots__", ()):
                yield getattr(store, name)


@pytest.mark.parametrize(("kind", "name"), CASES)
async def test_no_method_shows_or_changes_another_space(two: Two, kind: type, name: str) -> None:
    answer = await MATRIX[kind][name](two)
    assert THEIRS not in repr(answer)
    after = await dump_all(two.db)
    theirs = two.theirs.space.space_id
    assert of_space(after, theirs) == of_space(two.before, theirs)
    known = {two.space.space_id, theirs}
    others = {r["space_id"] for n, rows in after.items() if n != "branches" for r in rows} - known
    assert len(others) == (1 if name in {"create", "clone"} else 0)


async def test_an_event_of_another_space_is_not_found(two: Two) -> None:
    assert (await two.mine.events.get_event(await two.my_id())).payload["of"] == MINE
    with pytest.raises(EventNotFoundError):
        await two.mine.events.get_event(await two.their_id())
    past = await two.mine.as_of(5)
    assert (await past.events.get_event(await two.my_id())).payload["of"] == MINE
    with pytest.raises(EventNotFoundError):
        await past.events.get_event(await two.their_id())


async def test_the_numbers_of_a_space_are_its_own(two: Two) -> None:
    before = await two.db.spaces.stats(THEIRS)
    await two.mine.execute(fill, MINE)
    await two.mine.pstate.put("more", 1)
    assert await two.db.spaces.stats(THEIRS) == before
    mine = await two.db.spaces.stats(MINE)
    assert (mine.event_count, mine.key_count, mine.checkpoints["pstate"]) == (10, 8, 10)
    assert (before.event_count, before.key_count, before.checkpoints["pstate"]) == (5, 7, 5)
    assert [s for s in await two.db.spaces.stats() if s.space.space_name == THEIRS] == [before]


async def test_values_are_the_spaces_own_whatever_is_in_memory(two: Two) -> None:
    for _ in range(2):  # from the database, then from memory where that is allowed
        for store, of in ((two.mine, MINE), (two.theirs, THEIRS)):
            found = await store.pstate.get_many([*KEYS, "direct"])
            assert {value["of"] for value in found.values()} == {of}
            assert {e.payload["of"] for e in await store.events.get_events("k0")} == {of}
            assert (await store.events.get_events("k0"))[0].correlation_id == of
            assert dict(store.space.metadata) == {"of": of}


async def test_expectations_are_about_the_own_space(two: Two) -> None:
    await two.theirs.events.append("k0", "doc.put", {"of": THEIRS})
    assert await two.mine.events.get_entity_version("k0") == 1
    await two.mine.events.append("k0", "doc.put", {"of": MINE}, expected_version=1)
    shared = Query(tags=["same"])
    with pytest.raises(ConcurrencyError) as caught:
        await two.mine.events.append_if([A_PUT], no_match=shared)
    assert caught.value.actual == 5
    await two.mine.events.append_if([A_PUT], no_match=shared, after=5)


async def test_a_command_sees_the_state_of_its_own_space(two: Two) -> None:
    seen: list[Any] = []

    def look(state: Any, params: Any) -> list[NewEvent]:
        seen.append({value["of"] for value in state.values()})
        return []

    await two.mine.execute(look)
    await two.theirs.execute(look)
    assert seen[0] == {MINE}
    assert seen[-1] == {THEIRS}


async def test_a_deleted_space_takes_no_byte_of_another_with_it(two: Two) -> None:
    mine = two.space.space_id
    tables = two.db._core.backend.tables
    assert set(of_space(two.before, mine)) == {
        "leak_docs",
        *(t.name for t in tables.metadata.sorted_tables if t is not tables.branches),
    }
    await two.db.spaces.delete(MINE, force=True)
    after = await dump_all(two.db)
    assert of_space(after, mine) == {}
    assert after == without_space(two.before, mine)


async def test_rebuilding_one_space_moves_no_byte_of_another(two: Two) -> None:
    await two.mine.rebuild_pstate()
    after = await dump_all(two.db)
    theirs = two.theirs.space.space_id
    assert of_space(after, theirs) == of_space(two.before, theirs)
    assert [k for k, _ in await drain(two.mine.pstate.scan())] == KEYS


# -- statements ----------------------------------------------------------------------------------

WITHOUT_SPACE = {
    "branches._by_name": "the registry of branches",
    "branches._all": "the registry of branches",
    "branches._insert": "the registry of branches",
    "branches._rename": "the registry of branches",
    "branches._delete": "the registry of branches",
    "branches._keep": "the registry of branches",
    "branches._lock": "the registry of branches",
    "merges.heads": "every space of two branches, to compare them",
    "merges.lock_heads": "every space of two branches, to merge one into the other",
    "forking._searched": "the registry: the spaces of a branch that are searched",
    "forking._delete_of_branch.<locals>.build": "everything of every space of a branch",
    "forking.lock_spaces": "every space of a branch, to fork or delete them all",
    "forking._fork_spaces": "likewise",
    "forking._remove_forked": "likewise",
    "forking._set_base": "likewise",
    "forking._take_back": "likewise",
    "branches._children_of_branch": "likewise",
    "branches._children_of_space": "which spaces go on from one",
    "branches._seen_on": "the spaces of a branch that go on from one",
    "branches._keep_by_name": "the registry of branches",
    "spaces._everywhere": "the registry: the ids of all spaces",
    "spaces._by_name": "the registry: which space has this name",
    "spaces._all": "the registry: every space",
    "replicas._named": "the registry: what the space of an id is called",
    "spaces._prefixed": "the registry: spaces by the beginning of their names",
    "spaces._insert": "the registry: the space that gets its id by this",
    "planning._lock_timeout": "a setting of the transaction",
    "planning._begin": "settings of the transaction",
    "stats._stats_of_all": "the registry: a line for each space",
    "events._all_page": "the feed of all spaces",
    "events._by_id": "get_event: an id is unique over all spaces",
    "events._last_id": "the counter of event ids",
    "feed._lowest_mark": "the watermark of the feed",
    "feed._holders": "what holds the watermark of the feed",
    "feed._partition_page": "the feed of all spaces, of a part of them",
    "heads._heads": "of a list of spaces that somebody waits for",
    "subscriptions._any_owned": "whether anybody subscribes at all",
    "replicas._replicated": "which spaces are replicated, for readers of all spaces",
    "parked._of_feed": "what a subscription over all spaces has put aside",
    "notifications._notify": "a hint to other processes",
    "append_sqlite._newest_event_id": "the counter of event ids",
    "text_check._table": "whether there is a table of that name (SQLite)",
    "text_waiting._spaces": "the registry: the spaces where texts wait to be indexed",
    "vector_rows._available": "whether the database has an extension (PostgreSQL)",
    "text_index._all_searched": "the registry: the spaces that are searched",
    "import_rows._new_space": "the registry: the space that gets its id by this",
}
COUNTERS = "import_ids"
"""The module that moves the counters of ids, which are the whole database's."""

OURS = "|".join(table.name for table in build_tables("sqlite").metadata.sorted_tables)
# compared with a parameter, or with rows of parameters; a join of our own tables binds nothing
BINDS_SPACE = re.compile(rf"\bspace_id = (?!({OURS})\.)", re.IGNORECASE)
OWN_TABLE = re.compile(rf"TABLE (IF EXISTS )?{TOKENS_TABLE}\d+\b")
"""Making or dropping a table whose name is that of the space that it is of."""
INSERTS = re.compile(r"INSERT INTO \S+ \([^)]*\bspace_id\b", re.IGNORECASE)


def every_statement() -> dict[str, list[Statement]]:
    for found_module in pkgutil.iter_modules(ramax.storage.__path__):
        importlib.import_module(f"ramax.storage.{found_module.name}")
    forking._emptying(build_tables("sqlite"))  # else made when the first branch is deleted
    found: dict[str, list[Statement]] = {}
    for statement in (each for each in gc.get_objects() if isinstance(each, Statement)):
        build = statement._build
        if build.__module__.startswith("ramax."):
            name = f"{build.__module__}.{build.__qualname__}".removeprefix("ramax.storage.")
            found.setdefault(name, []).append(statement)
    return found


def texts_of(statement: Statement) -> list[str]:
    """Its text in each dialect that it can be compiled for; some are for one only."""
    found = []
    for dialect in ("sqlite", "postgresql"):
        tables = build_tables(dialect)
        try:
            found.append(" ".join(statement.on(tables).text.split()))
        except (sa.exc.CompileError, NotImplementedError):
            continue
    return found


def names_a_space(text: str) -> bool:
    return bool(INSERTS.search(text) or BINDS_SPACE.search(text) or OWN_TABLE.search(text))


def test_every_statement_names_its_space_or_is_listed_with_a_reason() -> None:
    statements = {
        name: [text for statement in each for text in texts_of(statement)]
        for name, each in every_statement().items()
    }
    assert len(statements) > 40
    assert [name for name, texts in statements.items() if not texts] == []
    loose = {name for name, texts in statements.items() if not all(map(names_a_space, texts))}
    assert {n for n in loose if not n.startswith(COUNTERS)} - set(WITHOUT_SPACE) == set()
    modules = {name.partition(".")[0] for name in statements}
    known = {name for name in WITHOUT_SPACE if name.partition(".")[0] in modules}
    assert known - loose == set()  # nothing is listed that does name its space, or is gone


@pytest.mark.parametrize("dialect", ["sqlite", "postgresql"])
def test_a_delete_of_a_space_empties_every_table_that_has_spaces(dialect: Any) -> None:
    tables = build_tables(dialect)
    texts = [" ".join(each.on(tables).text.split()) for each in delete_statements(tables)]
    of_spaces = [t for t in tables.metadata.sorted_tables if t is not tables.branches]
    for table in of_spaces:
        assert "space_id" in table.c
        [text] = [t for t in texts if t.startswith(f"DELETE FROM {table.name} ")]
        assert BINDS_SPACE.search(text)
    assert len(texts) == len(of_spaces)


# -- schemas of one PostgreSQL database ----------------------------------------------------------


@pytest.mark.postgres
async def test_two_schemas_of_one_database_are_two_databases(empty_postgres_url: str) -> None:
    engine = create_async_engine(empty_postgres_url)
    async with engine.begin() as connection:
        for schema in (MINE, "_other2"):
            await connection.execute(sa.schema.CreateSchema(schema))
    await engine.dispose()
    async with (
        ramax.connect(empty_postgres_url, schema=MINE) as mine,
        ramax.connect(empty_postgres_url, schema="_other2") as odd,
        ramax.connect(empty_postgres_url) as public,
    ):
        stores = []
        for database in (mine, odd, public):
            store = await database.content_store("acme", documents())
            of = str(database._core.backend.tables.metadata.schema)
            await store.execute(fill, of, idempotency_key="same")
            await store.execute_many([(fill, of)])
            async with store.transaction() as tx:
                await tx.execute(fill, of)
            await store.pstate.put("direct", {"of": of})
            await store.update_checkpoint(3, name="reader")
            stores.append((database, store, of))
        for database, store, of in stores:
            assert store.space.space_id == 1
            assert await store.rebuild_pstate() == 15
            assert {v["of"] for _, v in await drain(store.pstate.scan())} == {of}
            feed = await drain(database.events.stream_all_events())
            assert [e.event_id for e in feed] == list(range(1, 16))
            assert {e.payload["of"] for e in feed} == {of}
            assert await database.events.get_latest_event_id() == 15
            assert (await database.spaces.stats("acme")).event_count == 15
            assert await database.current_revision() == HEAD
        await mine.spaces.delete("acme", force=True)
        assert (await odd.spaces.stats("acme")).event_count == 15
        assert (await public.spaces.stats("acme")).event_count == 15


@pytest.mark.postgres
async def test_keys_and_names_sort_by_byte_whatever_the_databases_locale(
    icu_postgres_url: str,
) -> None:
    keys = ["a:1", "a:2", "a1", "b", "B", "a", "ä", "A:1", "a-1", "aa"]
    async with ramax.connect(icu_postgres_url) as db:
        store = await db.content_store("acme")
        for key in keys:
            await store.pstate.put(key, key)
            await store.events.append(key, "t", {})
        assert [k for k, _ in await drain(store.pstate.scan())] == sorted(keys)
        assert [k for k, _ in await drain(store.pstate.scan("a:"))] == ["a:1", "a:2"]
        assert await store.pstate.count("a") == 6
        for name in ("crm-b", "crm_a", "crmx"):
            await db.spaces.create(name)
        assert [s.space_name for s in await db.spaces.list_all("crm_")] == ["crm_a"]
        assert len(await db.spaces.list_all("crm")) == 3
