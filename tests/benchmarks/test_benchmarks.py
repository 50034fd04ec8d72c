import importlib
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import __main__ as command_line
from benchmarks import report
from benchmarks.bars import COLOURS, Bar, Group, svg
from benchmarks.cases import Case, Entrant, all_cases
from benchmarks.report import as_json
from benchmarks.rounds import Measured, Result
from benchmarks.targets import Target, load, missed
from benchmarks.work import Sample

ROOT = Path(__file__).resolve().parents[2]
CASES = {case.name: case for case in all_cases()}


def bench(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "benchmarks", "--quick", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def result(**rates: list[float]) -> Result:
    case = CASES["sqlite-command-full-new"]
    measured = [
        Measured(Entrant(label, "library", "command"), [Sample(100, 100 / r, 0.1) for r in rounds])
        for label, rounds in rates.items()
    ]
    return Result(case, measured)


def test_a_quick_run_measures_ramax_against_the_raw_driver() -> None:
    run = bench("--only", "sqlite-command-normal-new")
    assert run.returncode == 0, run.stderr
    found = re.search(r"^  ramax +[\d,]+/s +x +([\d.]+)", run.stdout, re.MULTILINE)
    assert found, run.stdout
    assert 0 < float(found[1]) < 20


def test_a_part_of_no_name_is_an_error() -> None:
    assert bench("--only", "no such case").returncode == 2


RIVALS = ("depeche_rival", "eventsourcing_rival", "strata_rival")
"""They need what is not installed for the tests."""


def test_every_case_names_work_that_its_program_does() -> None:
    for case in CASES.values():
        for entrant in case.entrants:
            if entrant.program not in RIVALS:
                program = importlib.import_module(f"benchmarks.programs.{entrant.program}")
                assert entrant.work in program.WORKS, (case.name, entrant)


def test_every_target_is_about_a_figure_that_its_case_gives() -> None:
    targets = load()
    assert len(targets) > 20
    for target in targets:
        labels = [entrant.label for entrant in CASES[target.case].entrants]
        assert target.entrant in labels, target
        if "ratio" in target.measure:
            assert target.to in labels, target


def test_each_bound_beside_stratadb_is_a_target() -> None:
    bounds = {t.case: t.at_least for t in load() if t.case.startswith("datatypes-")}
    ahead = ("kv-batch", "log-batch", "log-range", "vector-search-10k", "vector-search-100k")
    single = ("kv-put", "log-append", "json-set")
    assert bounds == {
        **{f"datatypes-{name}": 1 for name in ahead},
        **{f"datatypes-{name}": 0.5 for name in single},
    }
    for name in bounds:
        rival, own = CASES[name].entrants
        assert (rival.options["durability"], own.options["synchronous"]) == ("always", "FULL")


def test_a_published_run_shows_the_data_types_in_json_picture_and_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"before\n{report.BEGIN}\nold\n{report.END}\nafter\n")
    for name, place in {"ROOT": tmp_path, "RESULTS": tmp_path, "PICTURES": tmp_path}.items():
        monkeypatch.setattr(report, name, place)
    monkeypatch.setattr(report, "PAGE", page)
    case = CASES["datatypes-kv-put"]
    measured = [Measured(entrant, [Sample(100, 0.1, 0.1)]) for entrant in case.entrants]
    report.publish([Result(case, measured, seconds=1.5)], 2.0)
    (file,) = tmp_path.glob("*.json")
    assert json.loads(file.read_text())["cases"][case.name]["took"] == 1.5
    text, picture = page.read_text(), (tmp_path / "datatypes.svg").read_text()
    for shown in (text, picture):
        assert case.title in shown
        assert "WAL, synchronous=FULL" in shown
        assert "stratadb" in shown
    assert COLOURS["ramax"] in picture
    assert COLOURS["rival"] in picture
    assert "| 1 | ≥ 0.5 |" in text
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    assert "old" not in text


def test_names_of_cases_and_of_their_entrants_are_unique() -> None:
    assert len(CASES) == len(all_cases())
    for case in CASES.values():
        labels = [entrant.label for entrant in case.entrants]
        assert len(labels) == len(set(labels)), case.name


def test_a_ratio_is_the_median_over_rounds_of_the_same_round() -> None:
    # the machine was slow in the second round, for both
    found = result(limit=[1000, 100, 1000], ramax=[500, 60, 400])
    assert found.ratios("ramax", "limit") == pytest.approx([0.5, 0.6, 0.4])
    target = Target("sqlite-command-full-new", "ratio", "test", at_least=0.55)
    assert target.value({found.case.name: found}) == pytest.approx(0.5)


def test_a_missed_target_is_named_with_what_was_measured() -> None:
    slow = result(limit=[1000.0], ramax=[100.0])
    (line,) = missed({slow.case.name: slow})
    assert "sqlite-command-full-new" in line
    assert "0.55" in line
    assert "0.1" in line
    fast = result(limit=[1000.0], ramax=[900.0])
    assert missed({fast.case.name: fast}) == []


def test_what_was_not_measured_is_not_missed_but_said() -> None:
    found = result(limit=[1000.0])
    found.measured.append(Measured(Entrant("ramax", "library", "command"), error="not here"))
    assert missed({found.case.name: found}) == []
    entrants = as_json([found], 1.0)["cases"][found.case.name]["entrants"]
    assert entrants["ramax"] == {"not_measured": "not here"}


def test_a_check_tells_missed_from_not_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    arguments = ["--quick", "--check", "--only", "sqlite-command"]
    monkeypatch.setattr(command_line, "QUICK_BUDGET", -1.0)
    assert command_line.main(arguments) == 3
    monkeypatch.setattr(command_line, "missed", lambda _: ["a target"])
    assert command_line.main(arguments) == 1
    assert command_line.main(["--quick", "--only", "sqlite-command"]) == 0


def test_what_was_not_come_to_and_what_failed_is_named() -> None:
    found = result(limit=[1000.0])
    found.measured.append(Measured(Entrant("ramax", "library", "command"), error="not here"))
    cases = [found.case, CASES["sqlite-replay"]]
    assert command_line.not_measured(cases, [found]) == [
        "sqlite-replay",
        "sqlite-command-full-new: ramax",
    ]


def test_published_results_name_no_path_and_no_host() -> None:
    for file in (ROOT / "benchmarks" / "results").glob("*.json"):
        text = file.read_text()
        assert json.loads(text)["cases"]
        assert not re.search(r"/(home|root|work|tmp|Users)/|localhost|127\.0\.0\.1", text)


def test_the_fastest_bar_is_the_longest() -> None:
    picture = svg(
        [Group("t", "n", [Bar("a", 50, "50", "ramax"), Bar("b", 100, "100", "limit")])], "t"
    )
    widths = [float(width) for width in re.findall(r'<rect [^>]*width="([\d.]+)"', picture)]
    assert widths[1] == pytest.approx(2 * widths[0])


def test_every_case_says_what_it_was_measured_on() -> None:
    def says(case: Case) -> bool:
        return case.database == "none" or bool(case.durability and case.start)

    assert [case.name for case in CASES.values() if not says(case)] == []
