"""The command line of the benchmarks."""

import argparse
import sys
import time
from collections.abc import Sequence

from benchmarks.cases import Case, all_cases, prototypes
from benchmarks.programs.codec import NAME as CODEC
from benchmarks.report import ROOT, line, publish, say
from benchmarks.rounds import Bench, Result
from benchmarks.targets import missed

QUICK_BUDGET = 37.0
"""Seconds after which a quick run begins no other case: it has to end within 50."""


def main(arguments: list[str] | None = None) -> int:
    """Run the chosen cases.

    Returns:
        With ``--check``: 1 if a target was missed, else 3 if something was not measured.
        2 if there is no such case; else 0.
    """
    parser = argparse.ArgumentParser(prog="python3 dev.py bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer, smaller rounds; no rivals")
    parser.add_argument("--check", action="store_true", help="fail when a target is missed")
    parser.add_argument("--only", default="", metavar="PART", help="cases whose name has this")
    parser.add_argument("--db", choices=["sqlite", "postgres"], help="cases of this database")
    parser.add_argument("--list", action="store_true", help="name the cases and do nothing")
    options = parser.parse_args(arguments)
    known = prototypes() if "prototype" in options.only else all_cases()
    cases = [case for case in known if _chosen(case, options)]
    if not cases:
        say(f"no case has {options.only!r} in its name")
        return 2
    if options.list:
        say("\n".join(f"{case.name:40} {case.title}" for case in cases))
        return 0
    started = time.monotonic()
    say(f"payload 98 bytes, {CODEC}; ratios are to the first line of each case, medians of rounds")
    results: list[Result] = []
    with Bench(cases, quick=options.quick) as bench:
        for case in cases:
            if options.quick and time.monotonic() - started > QUICK_BUDGET:
                break
            say(f"\n{case.name}: {case.title}\n  ({case.durability}; {case.start})")
            results.append(bench.run(case))
            for measured in results[-1].measured:
                say(line(results[-1], measured))
            say(f"  took {results[-1].seconds:.1f} s")
    seconds = time.monotonic() - started
    say(f"\n{len(results)} of {len(cases)} cases in {seconds:.0f} s")
    if not (options.quick or options.only or options.db):
        for path in publish(results, seconds):
            say(f"wrote {path.relative_to(ROOT)}")
    failures = missed({result.case.name: result for result in results})
    for failure in failures:
        say(f"MISSED  {failure}")
    missing = not_measured(cases, results)
    for name in missing:
        say(f"NOT MEASURED  {name}")
    return (1 if failures else 3 if missing else 0) if options.check else 0


def not_measured(cases: Sequence[Case], results: Sequence[Result]) -> list[str]:
    """Name the cases that were not come to, and the entrants that failed."""
    failed = [
        f"{result.case.name}: {measured.entrant.label}"
        for result in results
        for measured in result.measured
        if measured.error
    ]
    return [case.name for case in cases[len(results) :]] + failed


def _chosen(case: Case, options: argparse.Namespace) -> bool:
    return (
        options.only in case.name
        and (options.db is None or case.database == options.db)
        and (case.in_quick or not options.quick or bool(options.only))
    )


if __name__ == "__main__":
    sys.exit(main())
