"""What a space did not take is shown, tried again, and given up, from the command line."""

import json

import ramax
from ramax.core.codec import encode
from ramax.testing.records import record
from tests.cli.command import fail, on, run, succeed

ONE = b"device-of-origin"
BAD = record(ONE, 1, payload=encode([1], "payload"))


async def with_refused(db: ramax.Database) -> None:
    store = await db.content_store("notes")
    await store.replica.enable()
    put = encode({"key": "a", "value": 1}, "payload")
    after = record(ONE, 2, event_type="ramax.kv.put", entity_id="ramax.kv:a", payload=put)
    await store.replica.ingest([BAD, after])


async def value(db: ramax.Database) -> object:
    return await (await db.content_store("notes")).kv.get("a")


def test_a_refused_record_is_shown_and_given_up(demo_url: str):
    on(demo_url, with_refused)
    shown = succeed("spaces", "quarantined", "notes", "--url", demo_url)
    assert BAD.uid.hex() in shown
    assert "sync.unsound" in shown
    assert "sync.waiting" in shown
    listed = json.loads(succeed("spaces", "quarantined", "notes", "--json", "--url", demo_url))
    assert [(each["origin_seq"], each["code"]) for each in listed] == [
        (1, "sync.unsound"),
        (2, "sync.waiting"),
    ]
    said = succeed("spaces", "retry", "notes", "--url", demo_url)
    assert said.strip() == "took 0 records; 1 origin is still held up"
    said = succeed("spaces", "discard", "notes", BAD.uid.hex(), "--url", demo_url)
    assert said.strip() == "took 2 records"
    assert json.loads(succeed("spaces", "quarantined", "notes", "--json", "--url", demo_url)) == []
    assert on(demo_url, value) == 1


def test_what_is_not_kept_is_not_given_up(demo_url: str):
    on(demo_url, with_refused)
    wrong = run("spaces", "discard", "notes", "nonsense", "--url", demo_url)
    assert (wrong.exit_code, "is no uid" in wrong.stderr) == (2, True)
    said = fail("spaces", "discard", "notes", "00" * 16, "--url", demo_url)
    assert "keeps no record" in said
