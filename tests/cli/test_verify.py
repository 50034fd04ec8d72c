import json

import ramax
from ramax import Domain, Event, NewEvent
from ramax.runtime.findings import MAX_FINDINGS
from tests.cli.command import fail, on, process, read, run, succeed
from tests.runtime._damage import damage

DEMO = ("--domain", "ramax.cli.demo:contacts")


def spoil(url: str, statement: str) -> None:
    async def work(db: ramax.Database) -> None:
        await damage(db, statement)

    on(url, work)


def test_a_sound_database_is_called_sound(demo_url):
    done = process("verify", *DEMO, "--url", demo_url)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        "crm_acme: sound; 3 events, folded up to 3; read model 2 keys compared",
        "crm_globex: sound; 1 events, folded up to 1; read model 1 keys compared",
        "2 spaces: all sound",
    ]
    found = read("verify", *DEMO, "--url", demo_url)
    assert found["ok"]
    assert [each["compared"] for each in found["spaces"]] == [2, 1]


def test_one_space_may_be_asked_for_and_no_domain_compares_no_read_model(demo_url):
    [line, _] = succeed("verify", "crm_globex", "--url", demo_url).splitlines()
    assert line.endswith("read model not compared: no domain was given")
    assert [
        each["space_name"] for each in read("verify", "crm_acme", "--url", demo_url)["spaces"]
    ] == ["crm_acme"]


def test_what_is_not_sound_is_named_and_the_code_is_1(demo_url):
    spoil(demo_url, "DELETE FROM pstate_entities WHERE space_id = 1 AND key = 'contact:c2'")
    spoil(demo_url, "UPDATE events SET space_sequence = 9 WHERE space_id = 2")
    spoil(demo_url, "UPDATE space_sequences SET last_sequence = 9 WHERE space_id = 2")
    done = run("verify", *DEMO, "--url", demo_url)
    assert (done.exit_code, done.stderr) == (1, "")
    assert done.stdout.splitlines()[:2] == [
        "crm_acme: 1 findings; 3 events, folded up to 3; read model 2 keys compared",
        "  pstate: key 'contact:c2' is missing: events make it",
    ]
    assert "  sequence: events 1 to 8 are missing" in done.stdout
    assert done.stdout.endswith("2 spaces: 2 of them not sound\n")

    done = run("verify", *DEMO, "--json", "--url", demo_url)
    found = json.loads(done.stdout)
    assert (done.exit_code, found["ok"]) == (1, False)
    assert found["spaces"][0]["findings"] == [
        {"check": "pstate", "message": "key 'contact:c2' is missing: events make it"}
    ]


def test_more_findings_than_fit_are_counted(demo_url):
    async def fill(db: ramax.Database) -> None:
        store = await db.content_store("many")
        for number in range(MAX_FINDINGS + 5):
            await store.events.append("e", "t", {"n": number})

    on(demo_url, fill)
    spoil(demo_url, "UPDATE events SET format = 'etf' WHERE space_id = 3")
    done = run("verify", "many", "--url", demo_url)
    assert done.exit_code == 1
    assert done.stdout.startswith(f"many: {MAX_FINDINGS + 5} findings; ")
    assert "\n  and 5 more\n" in done.stdout


def test_another_domain_is_an_error_for_one_space_and_a_note_for_all(demo_url):
    other = ("--domain", "tests.cli.test_verify:other")
    line = fail("verify", "crm_acme", *other, "--url", demo_url)
    assert "its pstate was folded by 'contacts'" in line
    found = read("verify", *other, "--url", demo_url)
    assert found["ok"]
    assert "'contacts'" in found["spaces"][0]["not_compared"]


other = ramax.Domain("other")


evolved = Domain("contacts")


@evolved.upcaster("contact.added", from_version=1)
def rename(event: Event) -> NewEvent:
    if event.payload["contact_id"] == "c2":
        raise KeyError("first_name")
    return NewEvent("contact.registered", event.payload)


def test_every_event_is_run_through_the_upcasters_and_what_fails_is_listed(demo_url):
    domain = ("--domain", "tests.cli.test_verify:evolved")
    done = run("verify", "crm_acme", *domain, "--json", "--url", demo_url)
    [report] = json.loads(done.stdout)["spaces"]
    [of_chain, of_fold] = report["findings"]
    assert (done.exit_code, of_chain["check"], of_fold["check"]) == (1, "upcast", "pstate")
    assert of_chain["message"] == (
        "event 2 of space 'crm_acme' 'contact.added': version 1: KeyError('first_name')"
    )


def test_a_domain_whose_chain_has_a_gap_verifies_nothing(demo_url):
    line = fail("verify", "--domain", "tests.cli.test_verify:gap", "--url", demo_url)
    assert "no upcaster for version 1 of 'contact.added'" in line


gap = Domain("contacts", versions={"contact.added": 2})
