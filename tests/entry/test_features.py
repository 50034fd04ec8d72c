"""Every handle that reaches one space offers the data types."""

from ramax.datatypes import Cells, JsonDocuments, KeyValues, Log, Vectors

KINDS = {
    "kv": KeyValues,
    "log": Log,
    "cells": Cells,
    "state": Cells,
    "json": JsonDocuments,
    "vectors": Vectors,
}


async def test_the_data_types_are_there_wherever_one_space_is(db):
    store = await db.content_store("acme")
    async with db.in_space("other") as view, store.transaction() as tx:
        for handle in (store, store.at("other"), view, tx, tx.at("acme"), store.as_of(0)):
            for name, kind in KINDS.items():
                assert type(getattr(handle, name)) is kind
