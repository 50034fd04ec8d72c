import json
import re
import shlex
from typing import Any

import pytest
from click.testing import CliRunner

from ramax.cli.app import ramax
from ramax.cli.demo import ContactExists, add_contact, contacts
from ramax.testing import given
from tests.cli.command import process, read, run, succeed
from tests.examples.program import run as run_example


def story(url: str) -> list[tuple[str, str, str, dict[str, Any]]]:
    events = run("events", "export", "--url", url).stdout.splitlines()
    found = [json.loads(line) for line in events]
    return sorted(
        (e["space_name"], e["space_sequence"], e["event_type"], e["payload"]) for e in found
    )


def test_it_tells_the_story_of_the_example(tmp_path):
    ours, example = (f"sqlite:///{tmp_path / name}.db" for name in ("ours", "example"))
    succeed("demo", "--url", ours)
    run_example("examples/crm.py", example)
    assert story(ours) == story(example)
    for space in ("crm_acme", "crm_globex"):
        ours_now, theirs = (
            [
                {**each["value"], "added_at": None}
                for each in read("pstate", "scan", space, "--url", url)
            ]
            for url in (ours, example)
        )
        assert ours_now == theirs


def test_it_can_be_run_again(durable_url):
    first = process("demo", "--url", durable_url)
    assert (first.returncode, first.stderr) == (0, "")
    assert "crm_globex  contact:c1  Maria Lopez  maria@globex.example" in first.stdout
    assert "ContactExists: contact:c1 is John Smith already" in first.stdout
    assert "3 events of crm_acme folded again" in first.stdout
    assert succeed("demo", "--url", durable_url) == first.stdout


def test_what_it_says_to_try_next_works(demo_url):
    shown = succeed("demo", "--url", demo_url)
    tries = re.findall(r"^  ramax (.*)$", shown, re.MULTILINE)
    assert len(tries) == 5
    for command in tries:
        assert succeed(*shlex.split(command))


def test_without_a_url_it_makes_a_file_whatever_the_variable_says(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    monkeypatch.setenv("RAMAX_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/production")
    shown = CliRunner().invoke(ramax, ["demo"])
    assert shown.exit_code == 0
    [file] = tmp_path.glob("ramax-*/crm.db")
    assert f"The database is {file}. Try next:" in shown.stdout
    assert file.stat().st_size


def test_the_domain_of_the_demo_is_a_domain():
    params = {"contact_id": "c1", "name": "John", "email": "j@x.example"}
    state = given(contacts, *add_contact({}, params))
    assert state["contact:c1"]["name"] == "John"
    with pytest.raises(ContactExists, match="contact:c1 is John already"):
        add_contact(state, params)
