"""Every write of a data type takes the options of `execute`: a repeat is answered, not written."""

import inspect

import pytest

from ramax import ConcurrencyError, DataError, IdempotencyConflictError, MisuseError
from ramax.datatypes import Cells, JsonDocuments, KeyValues, Log, Text, Tree, Vectors
from ramax.datatypes.loro_codec import LoroCodec

CLIENTS = {
    "kv": KeyValues,
    "log": Log,
    "cells": Cells,
    "json": JsonDocuments,
    "vectors": Vectors,
    "tree": Tree,
    "text": Text,
}


UPDATE = LoroCodec().open(()).replace(0, 0, "apart")
"""An edit made elsewhere."""


def one_more(value):
    return (value or 0) + 1


WRITES = {
    "kv.put": lambda s, **o: s.kv.put("a", {"n": 1}, **o),
    "kv.put_many": lambda s, **o: s.kv.put_many({"a": 1, "b": 2}, **o),
    "kv.delete": lambda s, **o: s.kv.delete("there", **o),
    "kv.delete_many": lambda s, **o: s.kv.delete_many(["there"], **o),
    "log.append": lambda s, **o: s.log.append("t", {"n": 1}, **o),
    "log.append_many": lambda s, **o: s.log.append_many([("t", {}), ("u", {})], **o),
    "cells.set": lambda s, **o: s.cells.set("a", 1, **o),
    "cells.init": lambda s, **o: s.cells.init("a", 1, **o),
    "cells.cas": lambda s, **o: s.cells.cas("there", 1, 1, **o),
    "cells.transition": lambda s, **o: s.cells.transition("a", one_more, **o),
    "cells.delete": lambda s, **o: s.cells.delete("there", **o),
    "json.set": lambda s, **o: s.json.set("a", [1], **o),
    "json.set_many": lambda s, **o: s.json.set_many({"a": 1}, **o),
    "json.cas": lambda s, **o: s.json.cas("there", 5, 1, **o),
    "json.merge": lambda s, **o: s.json.merge("there", {"m": 1}, **o),
    "json.patch": lambda s, **o: s.json.patch(
        "there", [{"op": "add", "path": "/l/-", "value": 1}], **o
    ),
    "json.delete": lambda s, **o: s.json.delete("there", **o),
    "json.create_index": lambda s, **o: s.json.create_index("$.x", **o),
    "json.drop_index": lambda s, **o: s.json.drop_index("$.l", **o),
    "vectors.create_collection": lambda s, **o: s.vectors.create_collection("new", 2, **o),
    "vectors.delete_collection": lambda s, **o: s.vectors.delete_collection("there", **o),
    "vectors.upsert": lambda s, **o: s.vectors.upsert("there", "a", [1, 2], {"m": 1}, **o),
    "vectors.upsert_many": lambda s, **o: s.vectors.upsert_many("there", [("a", [1, 2])], **o),
    "vectors.delete": lambda s, **o: s.vectors.delete("there", "v", **o),
    "vectors.delete_many": lambda s, **o: s.vectors.delete_many("there", ["v"], **o),
    "tree.create": lambda s, **o: s.tree("t").create(node="new", **o),
    "tree.move": lambda s, **o: s.tree("t").move("there", "root", after="other", **o),
    "tree.set": lambda s, **o: s.tree("t").set("there", {"x": 1}, **o),
    "tree.rename": lambda s, **o: s.tree("t").rename("there", "Here", **o),
    "tree.unset": lambda s, **o: s.tree("t").unset("there", ["y"], **o),
    "tree.delete": lambda s, **o: s.tree("t").delete("there", **o),
    "tree.restore": lambda s, **o: s.tree("t").restore("deleted", **o),
    "text.insert": lambda s, **o: s.text("t").insert(0, "x", **o),
    "text.append": lambda s, **o: s.text("t").append("x", **o),
    "text.delete": lambda s, **o: s.text("t").delete(0, 1, **o),
    "text.replace": lambda s, **o: s.text("t").replace(0, 1, "x", **o),
    "text.set": lambda s, **o: s.text("t").set("thx", **o),
    "text.merge": lambda s, **o: s.text("t").merge(UPDATE, **o),
}


async def fill(store):
    await store.kv.put("there", 1)
    await store.cells.set("there", 0)
    await store.json.set("there", {"l": []})
    await store.json.create_index("$.l")
    await store.vectors.create_collection("there", 2)
    await store.vectors.upsert("there", "v", [0, 1])
    for node in ("there", "other", "deleted"):
        await store.tree("t").create(node=node, properties={"y": 1})
    await store.tree("t").delete("deleted")
    await store.text("t").append("there")
    return await store.events.get_space_latest_sequence()


def takes_options(client):
    return {
        name
        for name, member in vars(client).items()
        if not name.startswith("_")
        and callable(member)
        and "options" in inspect.signature(member).parameters
    }


def test_the_table_names_every_write():
    found = {f"{name}.{verb}" for name, each in CLIENTS.items() for verb in takes_options(each)}
    assert found == set(WRITES)


async def test_a_write_happens_once_however_often_it_is_repeated(store):
    for name, write in WRITES.items():
        space = store.at(name.replace(".", "-"))
        before = await fill(space)
        first = await write(space, idempotency_key="k")
        written = await space.events.get_space_latest_sequence()
        assert written > before, name
        again = await write(space, idempotency_key="k")
        assert await space.events.get_space_latest_sequence() == written, name
        assert type(again) is type(first), name
        if isinstance(first, bool):
            assert again is first is True, name
        else:
            assert (again.event_ids, again.replayed) == (first.event_ids, True), name
            for told in ("version", "sequence", "sequences"):
                assert getattr(again, told, 0) == getattr(first, told, 0), name


async def test_a_write_that_expects_another_sequence_is_refused(store):
    before = await fill(store)
    for name, write in WRITES.items():
        with pytest.raises(ConcurrencyError):
            await write(store, expected_sequence=before - 1)
        with pytest.raises(DataError):
            await write(store, expected_sequence=-1)
        assert await store.events.get_space_latest_sequence() == before, name
    commit = await store.kv.put("a", 1, expected_sequence=before, correlation_id="c")
    assert [event.correlation_id for event in commit.events] == ["c"]


async def test_a_key_stands_for_one_content(store):
    await store.kv.put("a", 1, idempotency_key="k")
    await store.cells.transition("a", one_more, idempotency_key="cell")
    await store.json.merge("d", {"a": 1}, idempotency_key="json")
    await store.vectors.create_collection("c", 2)
    await store.vectors.upsert("c", "a", [1, 2], idempotency_key="vector")
    last = await store.events.get_space_latest_sequence()
    for changed in (
        store.kv.put("a", 2, idempotency_key="k"),
        store.kv.delete("a", idempotency_key="k"),
        store.cells.transition("a", abs, idempotency_key="cell"),
        store.json.merge("d", {"a": 2}, idempotency_key="json"),
        store.json.set("d", 1, "$.a", idempotency_key="json"),
        store.vectors.upsert("c", "a", [1, 3], idempotency_key="vector"),
    ):
        with pytest.raises(IdempotencyConflictError):
            await changed
    assert await store.events.get_space_latest_sequence() == last


async def test_a_transaction_expects_a_sequence_but_takes_no_key(store):
    before = await fill(store)
    for write in WRITES.values():
        async with store.transaction() as tx:
            with pytest.raises(MisuseError):
                await write(tx, idempotency_key="k")
            with pytest.raises(ConcurrencyError):
                await write(tx, expected_sequence=before + 1)
    async with store.transaction() as tx:
        await tx.kv.put("a", 1, expected_sequence=before)
        await tx.kv.put("b", 1, expected_sequence=before + 1, correlation_id="c")
    assert await store.kv.get_many(["a", "b"]) == {"a": 1, "b": 1}
