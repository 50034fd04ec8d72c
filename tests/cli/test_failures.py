import os
import signal
import subprocess
import sys
from pathlib import Path

import click
import pytest

from ramax.cli.failures import INTERRUPTED, PIPE_CLOSED, OpeningError, explained
from ramax.errors import ConcurrencyError, MisuseError, RamaxError, StorageBusyError
from tests.cli.command import ROOT, fail, on, process, read, run, start

REFUSED = [
    (("spaces", "show", "nobody"), "there is no space 'nobody'", "`ramax spaces list`"),
    (("events", "tail", "nobody"), "there is no space 'nobody'", "`ramax spaces list`"),
    (("events", "export", "nobody"), "there is no space 'nobody'", "`ramax spaces list`"),
    (("verify", "nobody"), "there is no space 'nobody'", "`ramax spaces list`"),
    (("pstate", "get", "crm_acme", "x"), "no key 'x'", "`ramax pstate scan SPACE`"),
    (("events", "show", "99"), "no event 99", "`ramax events tail`"),
    (("events", "show", "9", "--space", "crm_acme"), "no event 9", "`ramax events tail`"),
    (("spaces", "create", "crm_acme"), "'crm_acme' exists already", "another name"),
    (("spaces", "rename", "crm_acme", "crm_globex"), "exists already", "another name"),
    (("spaces", "delete", "crm_acme"), "(3 events, 2 keys)", "--force"),
    (("spaces", "create", "A"), "space name 'A'", "must be 1 to 64 characters"),
    (("spaces", "delete", "default", "--yes"), "'default'", "cannot be deleted"),
]


def test_a_no_is_one_line_that_names_the_next_step(demo_url):
    for arguments, said, step in REFUSED:
        line = fail(*arguments, "--url", demo_url)
        assert said in line
        assert step in line


def test_debug_shows_where(demo_file):
    done = run("spaces", "show", "nobody", "--debug", "--url", demo_file)
    assert done.exit_code == 1
    assert "Traceback" in done.stderr
    assert done.stderr.splitlines()[-1].startswith("ramax: there is no space 'nobody'")
    first = run("--debug", "spaces", "show", "nobody", "--url", demo_file)
    assert "Traceback" in first.stderr


def test_debug_shows_where_an_import_failed(demo_file, tmp_path, monkeypatch):
    (tmp_path / "broken_domain.py").write_text("1 / 0\n")
    monkeypatch.chdir(tmp_path)
    wrong = ("verify", "--domain", "broken_domain:domain", "--url", demo_file)
    done = run(*wrong)
    assert done.exit_code == 2
    assert "ZeroDivisionError: division by zero" in done.stderr
    assert "Traceback" not in done.stderr
    assert "broken_domain.py" in run(*wrong, "--debug").stderr


def test_lines_of_errors_that_have_no_line_of_their_own():
    assert explained(RamaxError("no")) == (1, "no")
    assert explained(ConcurrencyError("s", 1, 2))[0] == 1
    assert "try again" in explained(StorageBusyError("locked"))[1]
    assert explained(MisuseError("wrong")) == (1, "wrong")
    code, line = explained(KeyError("x"))
    assert (code, line.startswith("unexpected KeyError: 'x'")) == (1, True)
    assert "--debug" in line
    assert explained(KeyboardInterrupt())[0] == INTERRUPTED
    assert explained(BrokenPipeError())[0] == PIPE_CLOSED
    assert explained(click.Abort())[0] == 1


def test_an_opening_error_names_the_database_once():
    reason = OSError("refused")
    assert str(OpeningError("db://x", reason, "look")) == "cannot open db://x: refused; look"
    reason = OSError("cannot open 'x': no folder")
    assert str(OpeningError("db://x", reason, "look")) == "cannot open 'x': no folder; look"


def test_many_lines_become_one(demo_file, monkeypatch):
    async def broken(*_: object) -> None:
        raise RamaxError("one\n  two\n\nthree")

    monkeypatch.setattr("ramax.runtime.spaces.SpaceRegistry.list_all", broken)
    assert fail("spaces", "list", "--url", demo_file) == "one two three"


def test_a_missing_driver_is_named_with_what_installs_it():
    program = (
        "import sys; sys.modules[sys.argv[1]] = None; from ramax.cli import main; "
        "sys.argv = ['ramax', 'spaces', 'list', '--url', sys.argv[2]]; main()"
    )
    for driver, url in (
        ("asyncpg", "postgresql://me@127.0.0.1:1/x"),
        ("aiosqlite", "pyproject.toml"),
    ):
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", program, driver, url],
            cwd=ROOT,
            env=os.environ | {"PYTHONPATH": str(ROOT / "src")},
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 1, done.stderr
        assert done.stderr.count("\n") == 1
        assert (
            f"the driver {driver} is not installed; install it: pip install {driver}" in done.stderr
        )


def test_a_closed_pipe_is_one_line(durable_url):
    async def fill(db):
        store = await db.content_store("s")
        for _ in range(20):
            await store.events.append("e", "t", {"text": "x" * 10_000})

    on(durable_url, fill)
    with start("events", "export", "s", "--url", durable_url) as exporting:
        assert exporting.stdout is not None
        assert exporting.stderr is not None
        exporting.stdout.readline()
        exporting.stdout.close()
        errors = exporting.stderr.read()
    assert exporting.returncode == PIPE_CLOSED
    assert errors == "ramax: the reader closed the pipe; the output is not complete\n"


def test_a_pipe_that_closes_before_anything_is_written_is_one_line(demo_file):
    reader, writer = os.pipe()
    os.close(reader)
    done = process("spaces", "list", "--url", demo_file, stdout=writer)
    os.close(writer)
    assert (done.returncode, done.stderr.count("\n")) == (PIPE_CLOSED, 1)


SLOW_DOMAIN = """
import sys
from ramax import Domain

domain = Domain("slow")

@domain.applicator("*")
def anything(state, event):
    print("folding", flush=True)
    sys.stdin.read()
    state["x"] = 1
"""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_a_full_disk_is_one_line(demo_file):
    with Path("/dev/full").open("w") as full:
        done = process("events", "export", "--url", demo_file, stdout=full)
    assert (done.returncode, done.stderr) == (1, "ramax: [Errno 28] No space left on device\n")


def test_ctrl_c_ends_a_job_with_one_line_and_leaves_the_old_state(demo_url, tmp_path: Path):
    (tmp_path / "slow_domain.py").write_text(SLOW_DOMAIN)
    command = ("rebuild", "crm_acme", "--domain", "slow_domain:domain", "--url", demo_url)
    with start(*command, cwd=tmp_path, stdin=subprocess.PIPE) as rebuilding:
        assert rebuilding.stdout is not None
        assert rebuilding.stdout.readline() == "folding\n"
        rebuilding.send_signal(signal.SIGINT)
        _, errors = rebuilding.communicate(timeout=60)  # lets the applicator go on
    assert rebuilding.returncode == INTERRUPTED
    assert errors == "ramax: interrupted; what was not finished is rolled back, run it again\n"
    left = read("verify", "crm_acme", "--domain", "ramax.cli.demo:contacts", "--url", demo_url)
    assert left["ok"]
    assert left["spaces"][0]["compared"] == 2
