"""`ramax verify`: whether a database is what it must be."""

import click

from ramax.cli.documents import report_document
from ramax.cli.domains import domain_option, joined
from ramax.cli.failures import FAILED, Command
from ramax.cli.output import print_json, printable
from ramax.cli.progress import progress_bar
from ramax.cli.session import json_option, reading
from ramax.core.domain import Domain
from ramax.runtime.database import Database
from ramax.runtime.findings import SpaceReport
from ramax.runtime.verify import verify as reports


@click.command(cls=Command)
@click.argument("space", required=False)
@domain_option(required=False, purpose="Folds the events anew, to compare the read model.")
@json_option
@reading
async def verify(
    db: Database,
    space: str | None,
    domains: tuple[Domain, ...],
    as_json: bool,  # noqa: FBT001
) -> None:
    """Check SPACE, or every space; exit code 1 if one is not sound.

    Reads every event: sequences without a gap, events that can be read, checkpoints that fit. With
    --domain also the upcasters, on every event, and the read model: whether it is the fold of the
    events. Writers may go on.
    """
    found: list[SpaceReport] = []
    with progress_bar("verifying") as show:
        async for report in reports(db, space, joined(domains), lambda _, p: show(p)):
            found.append(report)
            if not as_json:
                _print(report)
    bad = sum(not report.ok for report in found)
    if as_json:
        print_json({"ok": bad == 0, "spaces": [report_document(report) for report in found]})
    else:
        print(f"{len(found)} spaces: {f'{bad} of them not sound' if bad else 'all sound'}")
    if bad:
        click.get_current_context().exit(FAILED)


def _print(report: SpaceReport) -> None:
    compared = f"not compared: {report.not_compared}"
    if report.compared is not None:
        compared = f"{report.compared} keys compared"
    verdict = "sound" if report.ok else f"{report.finding_count} findings"
    text = (
        f"{report.space.space_name}: {verdict}; {report.event_count:,} events, folded up to "
        f"{report.checkpoint}; read model {compared}"
    )
    print(printable(text))
    for finding in report.findings:
        print(f"  {finding.check}: {printable(finding.message)}")
    if len(report.findings) < report.finding_count:
        print(f"  and {report.finding_count - len(report.findings)} more")
