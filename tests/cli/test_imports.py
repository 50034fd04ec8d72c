import csv
import logging

import pytest

import ramax
from tests.cli.command import fail, on, on_a_terminal, process, read, run, succeed
from tests.legacy.old_files import two_spaces
from tests.legacy.samples import DATA
from tests.migrations.elixir import BEFORE_SPACES, ElixirFile, event

COUNTS = "tests.legacy.old_files:counts"


@pytest.fixture(autouse=True)
def levels():
    """The command quiets a logger, for its process."""
    writer = logging.getLogger("ramax.writer")
    before = writer.level
    yield
    writer.setLevel(before)


@pytest.fixture
def old(tmp_path):
    return str(two_spaces(tmp_path / "elixir.db").path)


@pytest.fixture
def new(tmp_path):
    """A file that is not there yet."""
    return str(tmp_path / "new.db")


def test_import_makes_the_database_and_says_what_it_did(durable_url):
    sample = str(DATA / "sample_spaces.db")
    done = read("legacy", "import", sample, "--into", durable_url)
    assert (done["event_count"], done["key_count"], done["event_ids_kept"]) == (20, 12, True)
    assert [(s["space_name"], s["space_id"], s["present"]) for s in done["spaces"]] == [
        ("crm_acme", 1, False),
        ("crm_widgets", 3, False),
    ]
    assert done["source"]["orphans"] == {"2": 2, "4": 2}
    assert read("spaces", "show", "crm_acme", "--url", durable_url)["event_count"] == 14
    again = read("legacy", "import", sample, "--into", durable_url)
    assert again["event_count"] == 0
    assert all(space["present"] for space in again["spaces"])


def test_for_people_it_is_a_table_and_what_is_not_as_it_was(old, new):
    text = succeed("legacy", "import", old, "--into", new, "--map", "Acme Inc!=acme")
    lines = text.splitlines()
    assert lines[0].split() == ["old", "id", "id", "space", "events", "keys", "notes"]
    assert lines[1].split() == ["2", "2", "acme", "5", "2", "was", "Acme", "Inc!"]
    assert "\nimported 10 events and 4 keys in " in text
    assert "s; event ids are kept\n" in text
    assert "1 keys of space 4, which was deleted, are not imported\n" in text
    again = succeed("legacy", "import", old, "--into", new, "--map", "Acme Inc!=acme")
    assert "there already, was Acme Inc!" in again


def test_verify_lists_differences_and_rebuild_stores_the_fold(old, new):
    kept = succeed("legacy", "import", old, "--into", new, "--verify", COUNTS)
    assert "3 keys differ from what the domain folds\n" in kept
    assert "3 differences; stored is the old read model:\n  Acme Inc! k: only in" in kept
    assert "  b count: differs\n" in kept
    names = ["--map", "b=c", "--map", "Acme Inc!=d"]
    arguments = ["legacy", "import", old, "--into", new, *names, "--verify", COUNTS, "--rebuild"]
    rebuilt = read(*arguments)
    assert rebuilt["rebuilt"] and rebuilt["verified"]
    assert rebuilt["differences"][1] == {"space_name": "c", "key": "count", "kind": "differs"}
    assert read("pstate", "get", "c", "count", "--url", new)["value"] == {"n": 5}


@pytest.mark.parametrize("there", ["nothing", "empty", "ramax"])
def test_a_dry_run_makes_and_changes_nothing(old, new, tmp_path, there):
    if there == "ramax":
        succeed("demo", "--url", new)
    elif there == "empty":
        (tmp_path / "new.db").touch()
    before = (tmp_path / "new.db").read_bytes() if there != "nothing" else None
    text = succeed("legacy", "import", old, "--into", new, "--dry-run")
    assert "\nwould import 10 events and 4 keys in " in text
    assert f"event ids are {'new' if there == 'ramax' else 'kept'}\n" in text
    assert ((tmp_path / "new.db").read_bytes() if there != "nothing" else None) == before


@pytest.mark.postgres
def test_a_dry_run_into_an_empty_postgres_makes_no_table(old, empty_postgres_url):
    assert read("legacy", "import", old, "--into", empty_postgres_url, "--dry-run")["dry_run"]
    assert read("db", "current", "--url", empty_postgres_url)["state"] == "empty"
    assert read("legacy", "import", old, "--into", empty_postgres_url)["event_count"] == 10


def test_new_ids_are_told_in_a_file(old, new, tmp_path):
    table = tmp_path / "ids.csv"
    arguments = ["legacy", "import", old, "--into", new, "--id-map", str(table)]
    succeed(*arguments, "--dry-run")
    assert not table.exists()
    succeed("demo", "--url", new)
    text = succeed(*arguments)
    assert "event ids are new\n" in text
    with table.open(newline="") as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["old_event_id", "event_id"]
    assert [int(one) for one, _ in rows[1:]] == list(range(1, 11))
    assert [int(b) - int(a) for a, b in rows[1:]] == [int(rows[1][1]) - 1] * 10


def test_causes_that_are_lost_are_listed(old, new, tmp_path):
    succeed("demo", "--url", new)
    ElixirFile(tmp_path / "elixir.db").run("UPDATE events SET causation_id = 20 WHERE event_id = 4")
    for arguments in (["--dry-run"], []):
        text = succeed("legacy", "import", old, "--into", new, *arguments)
        assert "1 events whose cause no event is (old ids); they have none now:\n" in text
        assert "  event 4: 20\n" in text
    found = read("legacy", "import", old, "--into", new)
    assert found["lost_causes"] == [{"event_id": 4, "causation_id": 20}]


def test_bad_rows_stop_it_before_there_is_a_database_or_are_left_out(new, tmp_path):
    file = ElixirFile(tmp_path / "old.db", BEFORE_SPACES)
    file.insert("events", event(1), event(2, payload=b"\x83"), event(3, payload=b"\x83"))
    line = fail("legacy", "import", str(file.path), "--into", new)
    assert line.startswith("events 2: ")
    assert line.endswith(
        "2 such rows, which `ramax legacy inspect` lists and --skip-bad leaves out"
    )
    assert not (tmp_path / "new.db").exists()
    text = succeed("legacy", "import", str(file.path), "--into", new, "--skip-bad", "--space", "x")
    assert "imported 1 events" in text
    assert "2 rows that were left out:\n  events 2: " in text


def test_a_space_that_holds_something_else_is_told_with_the_way_out(old, new):
    async def occupy(db: ramax.Database) -> None:
        await db.spaces.create("b")
        await db.events.append("b", "e", "t", {})

    on(new, occupy)
    line = fail("legacy", "import", old, "--into", new)
    assert line == (
        "space 'b' exists, and its events are others from sequence 1 on; "
        "give it another name with --map OLD=NEW"
    )


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--into", "x.db", "--map", "nothing"],
        ["--into", "x.db", "--map", "=x"],
        ["--into", "x.db", "--map", "a=b", "--map", "a=c"],
        ["--into", "x.db", "--rebuild"],
        ["--into", "x.db", "--verify", "tests.nowhere:none"],
    ],
)
def test_wrong_usage_is_code_2(old, arguments, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run("legacy", "import", old, *arguments).exit_code == 2
    assert not (tmp_path / "x.db").exists()


def test_what_cannot_be_opened_is_one_line(old, new, tmp_path):
    assert "is not a SQLite database" in fail("legacy", "import", __file__, "--into", new)
    assert not (tmp_path / "new.db").exists()
    nowhere = str(tmp_path / "nowhere" / "x.db")
    for arguments in ([], ["--dry-run"]):
        line = fail("legacy", "import", old, "--into", nowhere, *arguments)
        assert "cannot open" in line
    assert "is not in the old database" in fail(
        "legacy", "import", old, "--into", new, "--map", "x=y"
    )


def test_as_a_process_it_is_quiet_and_on_a_terminal_it_shows_how_far_it_is(old, new, tmp_path):
    done = process("legacy", "import", old, "--into", new)
    assert (done.returncode, done.stderr) == (0, "")
    shown = on_a_terminal("legacy", "import", old, "--into", str(tmp_path / "other.db"))
    assert "importing" in shown
