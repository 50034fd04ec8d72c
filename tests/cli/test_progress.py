import re

import pytest

from ramax import Progress
from ramax.cli.progress import progress_bar, rate, summary
from tests.cli.command import on_a_terminal

DOMAIN = ("--domain", "ramax.cli.demo:contacts")


def test_a_rate_is_events_per_second():
    assert rate(Progress(500, 1000, 2.0)) == 250
    assert rate(Progress(0, 0, 0.0)) == 0


def test_a_summary_says_how_fast_it_was():
    assert summary("folded", 10_000, 2.5) == "folded 10,000 events in 2.5 s (4,000 events/s)"
    assert summary("folded", 0, 0.0) == "folded 0 events in 0.0 s"


def test_without_a_terminal_there_is_no_bar(capsys):
    with progress_bar("x") as show:
        show(Progress(1, 2, 1.0))
    assert capsys.readouterr() == ("", "")


PACED = """
import time
from ramax.cli.progress import progress_bar
from ramax.values import Progress

with progress_bar("pacing \x1b") as show:
    for n in range(31):
        show(Progress(n * 100, 4000, n / 10))
        time.sleep(0.05)  # the bars look at the clock before they say how long it takes
"""


@pytest.mark.parametrize(
    ("missing", "wanted"),
    [
        ("nothing", r"3,000 of 4,000, 1,000 events/s 0:00:\d\d"),
        ("rich", r"3000/4000  00:00:\d\d  1,000 events/s"),
    ],
)
def test_a_bar_shows_how_many_how_fast_and_how_long_still(missing, wanted):
    shown = plain(on_a_terminal(missing=missing, program=PACED))
    assert r"pacing \x1b" in shown
    assert re.search(wanted, shown)


@pytest.mark.parametrize("missing", ["nothing", "rich"])
def test_a_rebuild_on_a_terminal_has_a_bar(demo_file, missing):
    shown = plain(
        on_a_terminal("rebuild", "crm_acme", *DOMAIN, "--url", demo_file, missing=missing)
    )
    assert re.search(r"rebuilding crm_acme .*3( of |/)3.* events/s", shown)
    assert "space 'crm_acme': folded 3 events in" in shown


def plain(shown: str) -> str:
    return re.sub(r"\x1b\[[\d;?]*[a-zA-Z]", "", shown)
