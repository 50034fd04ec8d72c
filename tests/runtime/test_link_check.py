import asyncio

import pytest

from ramax import Ref
from ramax.runtime.findings import Findings
from ramax.runtime.link_check import LinkCheck
from tests._cards import put
from tests._links import asked, linked
from tests.runtime._damage import damage
from tests.runtime.test_link_index import filled


async def found(db, store, page=2):
    findings = Findings()
    check = LinkCheck(store.space, linked().schema, findings, page)
    while await db._core.read(check.compare_page):
        pass
    return [each.message for each in findings.named]


@pytest.mark.parametrize("count", [0, 1, 4, 5])
async def test_a_true_index_is_found_to_be_so(db, count):
    store = await filled(db, count)
    assert await found(db, store) == []
    await asked(store, "deck:1")
    assert await found(db, store) == []


async def test_what_is_too_much_and_what_is_missing_is_named(db):
    store = await filled(db)
    await asked(store, "deck:1")
    await damage(db, "UPDATE pstate_refs SET target = 'deck:9' WHERE source = 'card:3'")
    await damage(db, "UPDATE pstate_refs SET source = 'gone' WHERE source = 'card:4'")
    expected = [
        "the index says that field 'deck' of 'card:3' refers to 'deck:9', but it does not",
        "field 'deck' of 'card:3' refers to 'deck:2', but the index does not say so",
        "the index says that field 'deck' of 'gone' refers to 'deck:1', but it does not",
        "field 'deck' of 'card:4' refers to 'deck:1', but the index does not say so",
    ]
    assert sorted(await found(db, store)) == sorted(expected)
    [report] = [each async for each in db.verify("s", linked())]
    assert sorted(each.message for each in report.findings) == sorted(expected)


async def test_writes_beside_it_are_no_finding(db):
    store = await filled(db, 30)
    await asked(store, "deck:1")

    async def write() -> None:
        for n in range(60):
            await store.execute(put, (f"card:{n % 30}", {"deck": Ref(f"deck:{n % 3}")}))

    writing = asyncio.create_task(write())
    while not writing.done():
        assert await found(db, store, page=7) == []
    await writing
    assert await found(db, store) == []
