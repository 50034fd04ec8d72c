import json
from datetime import UTC, datetime

import pytest

import ramax
from ramax.core.equality import same_value
from ramax.core.json_form import from_json
from tests._cards import NEW, OLD, old_cards, put
from tests._values import EVERY_TYPE
from tests.cli.command import fail, on, on_a_terminal, read, run, succeed
from tests.runtime._damage import damage

DOMAIN = ("--domain", "ramax.cli.demo:contacts")


def test_get_shows_a_value(demo_url):
    found = read("pstate", "get", "crm_acme", "contact:c2", "--url", demo_url)
    assert found["key"] == "contact:c2"
    assert found["value"]["name"] == "Ann Lee"
    text = succeed("pstate", "get", "crm_acme", "contact:c2", "--url", demo_url)
    assert json.loads(text) == found["value"]


def test_scan_shows_keys_in_order(demo_url):
    def keys(*options: str) -> list[str]:
        return [
            each["key"] for each in read("pstate", "scan", "crm_acme", *options, "--url", demo_url)
        ]

    assert keys() == ["contact:c1", "contact:c2"]
    assert keys("contact:c2") == ["contact:c2"]
    assert keys("other") == []
    assert keys("--limit", "1") == ["contact:c1"]
    assert keys("--limit", "0") == []
    assert keys("--after", "contact:c1") == ["contact:c2"]
    lines = succeed("pstate", "scan", "crm_acme", "--url", demo_url).splitlines()
    assert [line.split()[0] for line in lines] == ["contact:c1", "contact:c2"]


def test_values_come_back_and_keys_cannot_harm_a_terminal(odd_url):
    [found] = json.loads(run("pstate", "scan", "odd", "--json", "--url", odd_url).stdout)
    assert found["key"] == "key\x1b\n"
    assert same_value(from_json(found["value"]), EVERY_TYPE)
    text = run("pstate", "scan", "odd", "--url", odd_url).stdout
    assert text.startswith(r"key\x1b\n  {")
    assert all(part.isprintable() for part in text.split("\n"))


def test_a_value_of_none_is_not_a_missing_one(durable_url):
    on(durable_url, lambda db: db.pstate.put("default", "k", None))
    assert read("pstate", "get", "default", "k", "--url", durable_url)["value"] is None
    assert succeed("pstate", "get", "default", "k", "--url", durable_url) == "null\n"


def test_a_read_model_that_is_behind_is_said_so_beside_the_answer(demo_url):
    async def append(db: ramax.Database) -> None:
        await db.events.append("crm_acme", "contact:c9", "contact.added", {"name": "New"})

    on(demo_url, append)
    for command in (("get", "crm_acme", "contact:c1"), ("scan", "crm_acme")):
        done = run("pstate", *command, "--json", "--url", demo_url)
        assert done.exit_code == 0
        assert json.loads(done.stdout)
        assert done.stderr.startswith("ramax: the last 1 of 4 events are not folded yet")


def test_a_value_that_cannot_be_read_is_named_by_the_key_before_it(demo_url):
    change = "UPDATE pstate_entities SET value = :bad WHERE space_id = 1 AND key = 'contact:c2'"
    on(demo_url, lambda db: damage(db, change, bad=b"\xc1"))
    done = run("pstate", "scan", "crm_acme", "--url", demo_url)
    assert (done.exit_code, done.stdout.split()[0]) == (1, "contact:c1")
    assert done.stderr.startswith("ramax: the first value after key 'contact:c1' b'\\xc1': ")


def test_a_space_without_anything_has_no_keys(demo_url):
    assert read("pstate", "scan", "default", "--url", demo_url) == []
    assert succeed("pstate", "scan", "default", "--url", demo_url) == ""


def test_as_of_shows_what_was(demo_url):
    def get(point: str) -> str:
        return succeed(
            "pstate", "get", "crm_acme", "contact:c1", "--as-of", point, *DOMAIN, "--url", demo_url
        )

    def keys(point: str) -> list[str]:
        arguments = ("pstate", "scan", "crm_acme", "--as-of", point, *DOMAIN, "--url", demo_url)
        return [each["key"] for each in read(*arguments)]

    assert json.loads(get("1"))["email"] != json.loads(get("3"))["email"]
    assert [keys(point) for point in ("0", "1", "2")] == [
        [],
        ["contact:c1"],
        ["contact:c1", "contact:c2"],
    ]
    assert keys("2020-01-01T00:00:00Z") == []
    assert keys(datetime.now(UTC).isoformat()) == ["contact:c1", "contact:c2"]


def test_as_of_says_what_it_needs(demo_file):
    get = ("pstate", "get", "crm_acme", "contact:c1", "--url", demo_file)
    for arguments, said in (
        (("--as-of", "1"), "--as-of needs --domain"),
        (DOMAIN, "--domain folds for --as-of"),
        (("--as-of", "soon", *DOMAIN), "'soon' is neither a sequence nor a time"),
    ):
        done = run(*get, *arguments)
        assert (done.exit_code, done.stdout) == (2, "")
        assert said in done.stderr
    assert "beyond the newest event, which is 3" in fail(*get, "--as-of", "4", *DOMAIN)
    assert "needs a time zone" in fail(*get, "--as-of", "2026-01-01T00:00:00", *DOMAIN)
    missing = fail("pstate", "get", "crm_acme", "nobody", "--as-of", "1", *DOMAIN, *get[-2:])
    assert "'nobody'" in missing


# -- migrate -------------------------------------------------------------------------------------

SCHEMA = ("--domain", "tests._cards:today")


@pytest.fixture
def old_url(durable_url):
    """What an older version stored in space `s`, and one value that cannot be migrated."""

    async def fill(db: ramax.Database) -> None:
        store = await db.content_store("s", old_cards())
        for key, value in (OLD | {"deck:x": {"name": "a", "title": "b", "cards": {}}}).items():
            await store.execute(put, (key, value))

    on(durable_url, fill)
    return durable_url


def test_migrate_says_what_it_would_do_and_then_does_it(old_url):
    dry = run("pstate", "migrate", "s", *SCHEMA, "--dry-run", "--url", old_url)
    assert dry.exit_code == 1  # something would get lost
    assert dry.stdout.splitlines() == [
        "space 's': 5 keys, 4 would be rewritten",
        "  card.back: changes (1 keys)",
        "  card.deck: changes (2 keys)",
        "  card.level: changes (2 keys)",
        "  card.tags: changes (2 keys)",
        "  deck.cards: changes (1 keys)",
        "  deck.name: changes (2 keys)",
        "  deck.title: changes (1 keys)",
        "  deck.name: goes, and nothing that is declared has read it (1 keys)",
        "  deck.note: stays, but nothing that is declared reads it (1 keys)",
    ]
    assert read("pstate", "get", "s", "deck:d", "--url", old_url)["value"] == OLD["deck:d"]

    done = succeed("pstate", "migrate", "s", *SCHEMA, "--url", old_url)
    assert done.startswith("space 's': 5 keys, 4 were rewritten\n")
    found = read("pstate", "get", "s", "card:2", "--url", old_url)["value"]
    assert found == NEW["card:2"]
    again = read("pstate", "migrate", "s", *SCHEMA, "--url", old_url)
    assert (again["outdated"], again["written"], again["changed"]) == (0, 0, {})


def test_migrate_fails_for_a_value_that_cannot_be_migrated_and_does_the_others(old_url):
    async def spoil(db: ramax.Database) -> None:
        store = await db.content_store("s", old_cards())
        await store.execute(put, ("card:3", {"front": "x", "level": "many"}))

    on(old_url, spoil)
    done = run("pstate", "migrate", "s", *SCHEMA, "--json", "--url", old_url)
    assert done.exit_code == 1
    document = json.loads(done.stdout)
    assert (document["written"], document["failure_count"]) == (4, 1)
    assert "'level' of card 'card:3' 'many': its migrate failed" in document["failures"][0]


def test_migrate_shows_how_far_it_is(old_url):
    shown = on_a_terminal("pstate", "migrate", "s", *SCHEMA, "--url", old_url)
    assert "migrating s" in shown
    assert "keys/s" in shown


def test_a_dry_run_cannot_write(old_url):
    before = on(old_url, guard)
    run("pstate", "migrate", "s", *SCHEMA, "--dry-run", "--url", old_url)
    assert on(old_url, guard) == before


async def guard(db: ramax.Database) -> tuple[int, ...]:
    facts = await db._core.reader.facts((await db.spaces.get("s")).space_id, ())
    assert facts is not None
    return tuple(facts.guard[:3])
