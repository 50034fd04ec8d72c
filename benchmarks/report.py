"""What a run leaves behind: JSON, pictures, and the table that the documentation shows."""

import json
import os
import platform
import re
import sqlite3
import statistics
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.bars import Bar, Group, svg
from benchmarks.cases import LIMIT, Case, Entrant
from benchmarks.environments import NEEDS
from benchmarks.programs.codec import NAME as CODEC
from benchmarks.rounds import Measured, Result
from benchmarks.targets import load

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results"
PICTURES = ROOT / "docs" / "explanation" / "img"
PAGE = ROOT / "docs" / "explanation" / "performance.md"
BEGIN, END = "<!-- figures: begin -->", "<!-- figures: end -->"

LIBRARIES = ("sqlalchemy", "aiosqlite", "asyncpg", "msgpack", "msgspec")

CHARTS = {  # file: title, what the names of its cases look like
    "sqlite-commands": ("SQLite: commands a second", r"sqlite-command-"),
    "postgres-commands": ("PostgreSQL: commands a second", r"postgres-command-"),
    "batches": ("Batches of 1,000 events: events a second", r"\w+-batch-"),
    "histories": ("Replay and rebuild: events a second", r"\w+-(replay|rebuild)"),
    "reads": ("Reads: keys a second", r"\w+-read"),
    "datatypes": ("Data types beside stratadb: units a second", r"datatypes-"),
}


def machine() -> dict[str, Any]:
    """Describe the machine and the software, without a name of anybody or anything."""
    return {
        "processors": os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "libraries": {name: version(name) for name in LIBRARIES},
        "rivals": {name: needs[0] for name, needs in NEEDS.items()},
        "codec": CODEC,
        "load_average": [round(load, 1) for load in os.getloadavg()],
    }


def line(result: Result, measured: Measured) -> str:
    """Say in one line what an entrant did."""
    label = f"  {measured.entrant.label:28}"
    if not measured.samples:
        return f"{label} not measured: {measured.error}"
    if any(s.note for s in measured.samples):
        return f"{label} {measured.median(lambda s: s.note) / 1e6:10.1f} MB"
    base = result.case.entrants[0].label
    ratios = sorted(result.ratios(measured.entrant.label, base)) or [0.0]
    return (
        f"{label} {measured.rate:11,.0f}/s   x{statistics.median(ratios):6.2f}"
        f"  [{ratios[0]:.2f} … {ratios[-1]:.2f}]   cpu {measured.cpu:8.1f} µs"
        f"   p50 {measured.median(lambda s: s.p50):7.0f} µs"
    )


def as_json(results: Iterable[Result], seconds: float) -> dict[str, Any]:
    """Return everything measured, round by round."""
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "seconds": round(seconds),
        "machine": machine(),
        "cases": {result.case.name: _case(result) for result in results},
    }


def _case(result: Result) -> dict[str, Any]:
    case = result.case
    return {
        "title": case.title,
        "database": case.database,
        "unit": case.unit,
        "durability": case.durability,
        "start": case.start,
        "codec": CODEC,
        "took": round(result.seconds, 1),
        "entrants": {m.entrant.label: _entrant(result, m) for m in result.measured},
    }


def _entrant(result: Result, measured: Measured) -> dict[str, Any]:
    if not measured.samples:
        return {"not_measured": measured.error.splitlines()[0][:200]}
    ratios = result.ratios(measured.entrant.label, result.case.entrants[0].label)
    found: dict[str, Any] = {
        "how": measured.entrant.how,
        "per_second": round(measured.rate, 1),
        "cpu_us": round(measured.cpu, 2),
        "p50_us": round(measured.median(lambda s: s.p50), 1),
        "p99_us": round(measured.median(lambda s: s.p99), 1),
        "rounds_per_second": [round(s.units / s.seconds, 1) for s in measured.samples],
    }
    if ratios:
        found["ratio"] = round(statistics.median(ratios), 3)
        found["ratio_spread"] = [round(min(ratios), 3), round(max(ratios), 3)]
    if any(s.note for s in measured.samples):
        found["bytes"] = round(measured.median(lambda s: s.note))
    return found


def publish(results: Sequence[Result], seconds: float) -> list[Path]:
    """Write the JSON, the pictures and the page's table; return what was written."""
    data = as_json(results, seconds)
    about = data["machine"]
    kind = f"{about['processors']}-core-{about['system'].lower().replace(' ', '-')}"
    json_file = RESULTS / f"{data['date']}-{kind}.json"
    json_file.parent.mkdir(exist_ok=True)
    json_file.write_text(json.dumps(data, indent=1, ensure_ascii=False) + "\n")
    written = [json_file]
    PICTURES.mkdir(parents=True, exist_ok=True)
    for name, (title, names) in CHARTS.items():
        groups = [_group(r) for r in results if re.match(names, r.case.name)]
        if groups:
            picture = PICTURES / f"{name}.svg"
            picture.write_text(svg(groups, title))
            written.append(picture)
    if PAGE.exists():
        head, _, rest = PAGE.read_text().partition(BEGIN)
        tail = rest.partition(END)[2]
        PAGE.write_text(f"{head}{BEGIN}\n{tables(data, results)}{END}{tail}")
        written.append(PAGE)
    return written


def _group(result: Result) -> Group:
    case = result.case
    bars = [
        Bar(m.entrant.label, m.rate, f"{m.rate:,.0f}", _kind(m.entrant))
        for m in result.measured
        if m.samples
    ]
    note = "; ".join(text for text in (case.durability, case.start) if text)
    return Group(case.title, note, bars or [Bar("not measured", 1, "", "limit")])


def _kind(entrant: Entrant) -> str:
    if entrant.program.endswith("_rival"):
        return "rival"
    return "limit" if entrant.program in LIMIT.values() else "ramax"


def tables(data: Mapping[str, Any], results: Sequence[Result]) -> str:
    """Return the Markdown that stands between the marks of the page."""
    about = data["machine"]
    libraries = ", ".join(f"{name} {number}" for name, number in about["libraries"].items())
    rows = [
        f"\nMeasured on {data['date']}: {about['processors']} cores, {about['system']},",
        f"Python {about['python']}, SQLite {about['sqlite']}, {libraries}.",
        f"Payload: 98 bytes as {about['codec']}. Load average when it ended (1, 5, 15 minutes):",
        ", ".join(f"{load:g}" for load in about["load_average"]) + ".\n",
        *_target_table(results),
    ]
    for title, names in CHARTS.values():
        cases = [r for r in results if re.match(names, r.case.name)]
        rows += [f"\n### {title}\n", *_case_table(cases)]
    return "\n".join(rows) + "\n"


def _target_table(results: Sequence[Result]) -> list[str]:
    by_name = {result.case.name: result for result in results}
    rows = ["| what | measured | must be | aim | |", "|---|---:|---:|---:|---|"]
    for target in load():
        value = target.value(by_name)
        bound = f"≥ {target.at_least:g}" if target.at_least is not None else f"≤ {target.at_most:g}"
        to = f", against {target.to}" if "ratio" in target.measure else ""
        what = f"{by_name[target.case].case.title if target.case in by_name else target.case}"
        unit = {"p50_ms": "ms", "megabytes": "MB", "per_second": "/s"}.get(target.measure, "")
        if target.measure == "seconds":
            unit = f"s for {target.units:,}"
        verdict = "not measured"
        if value is not None:
            verdict = "missed" if not target.reached(value) else "reached"
            if verdict == "reached" and target.aim is not None and target.reached_aim(value):
                verdict = "aim reached"
        shown = "" if value is None else f"{_number(value)} {unit}".strip()
        aim = "" if target.aim is None else f"{target.aim:g}"
        durability = by_name[target.case].case.durability if target.case in by_name else ""
        rows.append(f"| {what}{to} ({durability}) | {shown} | {bound} | {aim} | {verdict} |")
    return rows


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"


def _case_table(results: Sequence[Result]) -> list[str]:
    rows = [
        "| case | who | per second | ratio | spread | CPU µs | p50 µs |",
        "|---|---|--:|--:|---|--:|--:|",
    ]
    for result in results:
        case: Case = result.case
        note = "; ".join(text for text in (case.durability, case.start) if text)
        rows.append(f"| **{case.title}**<br>{note} | | | | | | |")
        for m in result.measured:
            who = f"{m.entrant.label}" + (f" ({m.entrant.how})" if m.entrant.how else "")
            if not m.samples:
                rows.append(f"| | {who} | not measured | | | | |")
                continue
            ratios = result.ratios(m.entrant.label, case.entrants[0].label) or [1.0]
            p50 = m.median(lambda s: s.p50)
            rows.append(
                f"| | {who} | {m.rate:,.0f} | {statistics.median(ratios):.2f} |"
                f" {min(ratios):.2f} … {max(ratios):.2f} | {m.cpu:.1f} | {p50:.0f} |"
                if p50
                else f"| | {who} | {m.rate:,.0f} | {statistics.median(ratios):.2f} |"
                f" {min(ratios):.2f} … {max(ratios):.2f} | {m.cpu:.1f} | |"
            )
    return rows


def say(text: str) -> None:
    """Print at once: a run takes minutes, and somebody watches it."""
    print(text, flush=True, file=sys.stdout)
