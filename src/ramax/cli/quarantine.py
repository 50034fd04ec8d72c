"""`ramax spaces quarantined|retry|discard`: records of other replicas that a space did not take."""

import click

from ramax.cli.failures import Command
from ramax.cli.output import Cell, print_json, print_table
from ramax.cli.session import json_option, reading, writing
from ramax.entry.features import replica_of
from ramax.entry.handles import Database
from ramax.entry.sync import core_of
from ramax.sync.quarantine import Quarantined
from ramax.sync.replica import IngestResult, Replica


@click.command(cls=Command)
@click.argument("space")
@json_option
@reading
async def quarantined(db: Database, space: str, as_json: bool) -> None:  # noqa: FBT001
    """Show the records of other replicas that SPACE keeps aside, and why it did not take them."""
    found = await (await _replica(db, space)).quarantined()
    if as_json:
        print_json([_document(each) for each in found])
        return
    print_table(["uid", "origin", "sequence", "code", "reason"], [_row(each) for each in found])


@click.command(cls=Command)
@click.argument("space")
@writing
async def retry(db: Database, space: str) -> None:
    """Try again to take what SPACE keeps aside."""
    print(_told(await (await _replica(db, space)).retry()))


@click.command(cls=Command)
@click.argument("space")
@click.argument("uid")
@click.option("--reason", default="", help="For people; by default that for which it was refused.")
@writing
async def discard(db: Database, space: str, uid: str, reason: str) -> None:
    """Give up the record UID that SPACE keeps aside: no replica folds it.

    UID is as `ramax spaces quarantined` shows it.
    """
    try:
        found = bytes.fromhex(uid)
    except ValueError:
        raise click.BadParameter(f"{uid!r} is no uid", param_hint="UID") from None
    print(_told(await (await _replica(db, space)).discard(found, reason)))


async def _replica(db: Database, name: str) -> Replica:
    # without a domain: what an application folds waits for it
    return replica_of(core_of(db), await db.spaces.get(name), None)


def _told(result: IngestResult) -> str:
    count = len(result.rejected)
    left = f"{count} {'origin is' if count == 1 else 'origins are'} still held up" if count else ""
    return f"took {result.accepted} {'record' if result.accepted == 1 else 'records'}" + (
        f"; {left}" if left else ""
    )


def _row(each: Quarantined) -> list[Cell]:
    return [each.uid.hex(), each.origin.hex(), each.origin_seq, each.code, each.reason]


def _document(each: Quarantined) -> dict[str, str | int]:
    return {
        "uid": each.uid.hex(),
        "origin": each.origin.hex(),
        "origin_seq": each.origin_seq,
        "code": each.code,
        "reason": each.reason,
        "refused_at": each.refused_at.isoformat(),
        "bytes": each.size,
    }
