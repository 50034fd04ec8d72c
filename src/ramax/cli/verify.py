"""`ramax verify`: whether a database is what it must be."""

import re
from typing import Any

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
from ramax.values import ChainHead


class AnchorType(click.ParamType[ChainHead]):
    """A hash of a chain, with the sequence that it is of."""

    name = "anchor"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> ChainHead:
        """Read ``12:9f86d081…``: 64 hexadecimal digits after the sequence."""
        found = _ANCHOR.fullmatch(value)
        if found is None:
            self.fail(f"{value!r} is not SEQUENCE:HASH, as `ramax chain head` says it", param, ctx)
        return ChainHead(int(found[1]), bytes.fromhex(found[2]))


_ANCHOR = re.compile(r"([0-9]+):([0-9a-f]{64})")


@click.command(cls=Command)
@click.argument("space", required=False)
@domain_option(required=False, purpose="Folds the events anew, to compare the read model.")
@click.option(
    "--anchor",
    type=AnchorType(),
    metavar="SEQUENCE:HASH",
    help="What `ramax chain head` said once; needs SPACE.",
)
@json_option
@reading
async def verify(
    db: Database,
    space: str | None,
    domains: tuple[Domain, ...],
    anchor: ChainHead | None,
    *,
    as_json: bool,
) -> None:
    """Check SPACE, or every space; exit code 1 if one is not sound.

    Reads every event: sequences without a gap, events that can be read, the hash chain where there
    is one, checkpoints that fit. With --domain also the upcasters, on every event, and the read
    model: whether it is the fold of the
    events. Writers may go on.
    """
    if anchor is not None and space is None:
        raise click.UsageError("--anchor is of one space: name it")
    found: list[SpaceReport] = []
    with progress_bar("verifying") as show:
        async for report in db.verify(space, joined(domains), lambda _, p: show(p), anchor=anchor):
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
    if report.chained is not None:
        text += f"; {report.chained:,} hashes checked"
    print(printable(text))
    for finding in report.findings:
        print(f"  {finding.check}: {printable(finding.message)}")
    if len(report.findings) < report.finding_count:
        print(f"  and {report.finding_count - len(report.findings)} more")
