import json
import os
import signal
import subprocess
import sys
from typing import Any

import pytest

import ramax
from ramax import NewEvent
from ramax.cli.failures import INTERRUPTED
from ramax.core.equality import same_value
from ramax.core.json_form import from_json
from tests._values import EVERY_TYPE
from tests.cli.command import ROOT, fail, on, process, read, run, start, succeed

FIELDS = [
    "space_name",
    "space_sequence",
    "event_id",
    "space_id",
    "event_type",
    "entity_id",
    "timestamp",
    "payload",
    "causation_id",
    "correlation_id",
    "metadata",
    "tags",
    "version",
]


def lines(*arguments: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in succeed(*arguments).splitlines()]


def test_export_writes_every_event_of_a_space_in_order(demo_url):
    exported = lines("events", "export", "crm_acme", "--url", demo_url)
    assert [list(each) for each in exported] == [FIELDS] * 3
    assert [each["space_sequence"] for each in exported] == [1, 2, 3]
    assert [each["event_type"] for each in exported] == ["contact.added"] * 2 + ["contact.updated"]
    assert exported[2]["payload"] == {"contact_id": "c1", "email": "john@smith.example"}


def test_export_of_all_spaces_is_by_event_id(demo_url):
    exported = lines("events", "export", "--url", demo_url)
    assert [each["event_id"] for each in exported] == [1, 2, 3, 4]
    assert [each["space_name"] for each in exported] == [
        "crm_acme",
        "crm_acme",
        "crm_globex",
        "crm_acme",
    ]


def test_export_takes_a_part(demo_url):
    def ids(*options: str) -> list[int]:
        return [each["event_id"] for each in lines("events", "export", *options, "--url", demo_url)]

    assert ids("crm_acme", "--after", "1") == [2, 4]
    assert ids("crm_acme", "--after", "1", "--upto", "2") == [2]
    assert ids("--after", "1", "--upto", "3") == [2, 3]
    assert ids("--type", "contact.updated") == [4]
    assert ids("crm_acme", "--type", "contact.added", "--type", "contact.updated") == [1, 2, 4]
    assert ids("crm_acme", "--type", "nothing") == []


@pytest.fixture
def tagged_url(durable_url):
    """Events 1 to 4 of `s`, of two entities, each second one tagged; event 5 is another space's."""

    async def fill(db: ramax.Database) -> None:
        store = await db.content_store("s")
        for n in range(4):
            tags = ["even"] if n % 2 else []
            await store.events.append(f"e{n % 2}", f"t{n}", {"n": n}, tags=tags)
        await (await db.content_store("other")).events.append("e1", "t1", {}, tags=["even"])

    on(durable_url, fill)
    return durable_url


@pytest.mark.parametrize("space", ["s", None])
def test_export_and_tail_take_conditions(tagged_url, space):
    where = ([space] if space else []) + ["--url", tagged_url]
    more = [] if space else [5]

    def ids(*options: str, command: str = "export") -> list[int]:
        as_json = ["--json"] if command == "tail" else []
        return [e["event_id"] for e in lines("events", command, *options, *as_json, *where)]

    assert ids("--tag", "even") == [2, 4, *more]
    assert ids("--entity", "e0", "--entity", "e1") == [1, 2, 3, 4, *more]
    assert ids("--entity", "e1", "--type", "t1") == [2, *more]
    assert ids("--tag", "even", "--tag", "odd") == []
    moments = [each["timestamp"] for each in lines("events", "export", *where)]
    assert ids("--since", moments[1]) == [3, 4, *more]
    assert ids("--until", moments[1].removesuffix("+00:00")) == [1, 2]
    assert ids("--since", moments[0], "--until", moments[2]) == [2, 3]
    assert ids("-n", "1", "--tag", "even", command="tail") == (more or [4])
    assert ids("-n", "2", "--entity", "e0", command="tail") == [1, 3]
    assert ids("--type", "none", command="tail") == []


def test_one_space_can_be_exported_backwards(tagged_url):
    found = lines("events", "export", "s", "--reverse", "--tag", "even", "--url", tagged_url)
    assert [each["event_id"] for each in found] == [4, 2]
    refused = run("events", "export", "--reverse", "--url", tagged_url)
    assert (refused.exit_code, "--reverse needs a SPACE" in refused.output) == (2, True)


def test_a_time_that_is_none_is_wrong_usage(tagged_url):
    refused = run("events", "export", "--since", "yesterday", "--url", tagged_url)
    assert (refused.exit_code, "'yesterday' is not a time" in refused.output) == (2, True)


def test_the_tree_of_an_event_is_shown_from_its_first_cause(tagged_url):
    async def react(db: ramax.Database) -> None:
        for cause in (3, 3, 6):
            await db.events.append("s", "e9", "effect", {"of": cause}, causation_id=cause)

    on(tagged_url, react)
    said = succeed("events", "tree", "s", "6", "--url", tagged_url)
    assert said == (
        '3  t2  e0  {"n": 2}\n├─ 6  effect  e9  {"of": 3} *\n'
        '│  └─ 8  effect  e9  {"of": 6}\n└─ 7  effect  e9  {"of": 3}\n'
    )
    root = read("events", "tree", "s", "8", "--url", tagged_url)
    assert [effect["event_id"] for effect in root["effects"]] == [6, 7]
    assert root["effects"][0]["effects"][0]["payload"] == {"of": 6}
    cut = succeed("events", "tree", "s", "3", "--most", "2", "--url", tagged_url)
    assert "└─ and more" in cut
    assert "no event 5" in fail("events", "tree", "s", "5", "--url", tagged_url)


def test_what_is_exported_comes_back_value_by_value_and_type_by_type(odd_url):
    [event] = lines("events", "export", "odd", "--url", odd_url)
    assert same_value(from_json(event["payload"]), EVERY_TYPE)
    assert from_json(event["metadata"]) == {"m": (1,)}
    assert event["entity_id"] == "e\x1b[2J"
    assert read("events", "show", "1", "--url", odd_url) == event
    assert read("events", "tail", "--url", odd_url) == event


def test_a_process_exports_utf8_lines(odd_url):
    done = process("events", "export", "--url", odd_url)
    assert (done.returncode, done.stderr, done.stdout.count("\n")) == (0, "", 1)
    assert "你好" in done.stdout


def test_text_cannot_harm_a_terminal(odd_url):
    for command in (("tail", "odd"), ("tail",), ("show", "1")):
        text = succeed("events", *command, "--url", odd_url)
        assert r"e\x1b[2J" in text
        assert r"typ\x85e" in text
        assert all(part.isprintable() for part in text.split("\n"))


PEAK = """
import resource, sys
from ramax.cli.app import ramax

before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
ramax(sys.argv[1:], standalone_mode=False)
after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print((after - before) // 1024, file=sys.stderr)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="measures memory in the units of Linux")
def test_an_export_holds_a_page_in_memory_not_the_log(durable_url):
    event = NewEvent("t", {"text": "x" * 5000}, entity_id="e")

    async def fill(db: ramax.Database) -> None:
        store = await db.content_store("s")
        for _ in range(12):
            await store.events.append_many([event] * 1000)  # 60 MB in all

    on(durable_url, fill)
    done = subprocess.run(
        [sys.executable, "-c", PEAK, "events", "export", "s", "--url", durable_url],
        env=os.environ | {"PYTHONPATH": str(ROOT / "src")},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        timeout=100,
        check=True,
    )
    assert int(done.stderr) < 30


def test_tail_shows_the_newest(demo_url):
    def sequences(*options: str) -> list[int]:
        return [
            e["event_id"] for e in lines("events", "tail", *options, "--json", "--url", demo_url)
        ]

    assert sequences() == [1, 2, 3, 4]
    assert sequences("-n", "2") == [3, 4]
    assert sequences("crm_acme", "-n", "2") == [2, 4]
    assert sequences("crm_acme", "-n", "0") == []
    assert sequences("crm_acme", "--after", "2") == [4]
    assert sequences("--after", "1", "-n", "1") == [2, 3, 4]
    assert sequences("default") == []


def test_tail_for_people_is_one_line_for_each_event(demo_url):
    [line] = succeed("events", "tail", "crm_acme", "-n", "1", "--url", demo_url).splitlines()
    assert line.split()[0] == "3"
    assert line.endswith(
        '  contact.updated  contact:c1  {"contact_id": "c1", "email": "john@smith.example"}'
    )
    [line] = succeed("events", "tail", "-n", "1", "--url", demo_url).splitlines()
    assert line.split()[:2] == ["4", "crm_acme"]


@pytest.mark.parametrize("space", [("crm_acme",), ()])
def test_follow_shows_new_events_until_ctrl_c_and_says_where_to_go_on(demo_url, space):
    command = ("events", "tail", *space, "-n", "1", "-f", "--interval", "0.05", "--json")

    async def append(db: ramax.Database) -> None:
        for number in (1, 2):
            await db.events.append("crm_acme", "e", "later", {"n": number})

    with start(*command, "--url", demo_url) as following:
        assert following.stdout is not None
        assert json.loads(following.stdout.readline())["event_type"] == "contact.updated"
        on(demo_url, append)
        later = [json.loads(following.stdout.readline()) for _ in range(2)]
        following.send_signal(signal.SIGINT)
        rest, errors = following.communicate(timeout=60)
    assert [event["payload"] for event in later] == [{"n": 1}, {"n": 2}]
    assert (following.returncode, rest) == (INTERRUPTED, "")
    reached = later[-1]["space_sequence" if space else "event_id"]
    assert errors == f"ramax: stopped; --after {reached} goes on from here\n"


def test_following_a_space_that_is_deleted_ends_with_a_line(demo_url):
    command = ("events", "tail", "crm_acme", "-n", "1", "-f", "--interval", "0.05")
    with start(*command, "--url", demo_url) as following:
        assert following.stdout is not None
        following.stdout.readline()
        succeed("spaces", "delete", "crm_acme", "--yes", "--force", "--url", demo_url)
        _, errors = following.communicate(timeout=60)
    assert following.returncode == 1
    assert errors.startswith("ramax: there is no space 'crm_acme'")
    assert errors.count("\n") == 1


def test_show_finds_an_event_by_id_or_by_sequence(demo_url):
    by_id = read("events", "show", "3", "--url", demo_url)
    assert (by_id["space_name"], by_id["space_sequence"]) == ("crm_globex", 1)
    assert read("events", "show", "1", "--space", "crm_globex", "--url", demo_url) == by_id
    text = succeed("events", "show", "3", "--url", demo_url)
    assert "space_name      crm_globex\n" in text
    assert "metadata        -\n" in text
    assert run("events", "show", "0", "--url", demo_url).exit_code == 2
