"""Handing commands and appends to the writer, with what must be true before."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any

from ramax.core.codec import decode, encode_payload
from ramax.core.domain import Command, Domain
from ramax.core.expectation import (
    Expectation,
    ExpectedVersion,
    ExpectedVersions,
    expect_versions,
    expect_versions_of,
)
from ramax.core.limits import check_name, check_optional_id, check_sequence
from ramax.core.new_events import Causes, checked_events
from ramax.core.tags import checked_tags
from ramax.errors import DataError, MisuseError
from ramax.runtime.catchup import catch_up_all
from ramax.runtime.causation import inherited
from ramax.runtime.core import Confirm, Core, SpaceLike
from ramax.runtime.jobs import Append, Execute, Job, StateBehindError, Work
from ramax.runtime.rehearsal import try_empty
from ramax.runtime.watching import Watch
from ramax.storage import idempotency
from ramax.values import Commit, NewEvent, Space

NO_DOMAIN = Domain("none")
NO_DOMAIN.names = frozenset()
NO_DOMAIN.freeze()


def causes(causation_id: int | None, correlation_id: str | None) -> Causes:
    """Check and pack what the events of a call inherit, from the event being handled as well."""
    if causation_id is None and correlation_id is None:
        return inherited(None, None)
    check_optional_id(causation_id, correlation_id)
    return inherited(causation_id, correlation_id)


def check_command(command: object) -> None:
    """Refuse what cannot be called.

    Raises:
        MisuseError: It is no function.
    """
    if not callable(command):
        raise MisuseError(f"a command is a function (state, params), got {command!r:.80}")


def checked_commands(given: object) -> list[tuple[Command, Any]]:
    """Return what `execute_many` is given.

    Raises:
        DataError: Something of it is no pair.
        MisuseError: A command is no function.
    """
    pairs: list[Any] = list(given) if isinstance(given, Iterable) else [given]
    for pair in pairs:
        if not isinstance(pair, tuple) or len(pair) != 2:  # noqa: PLR2004 - a pair
            raise DataError("execute_many", pair, "give (command, params) pairs")
        check_command(pair[0])
    return pairs


async def execute(  # noqa: PLR0913 - what a call may say
    core: Core,
    space: Space,
    domain: Domain | None,
    commands: Sequence[tuple[Command, Any]],
    *,
    expected_sequence: int | None = None,
    expected_version: Mapping[str, ExpectedVersion] | None = None,
    idempotency_key: str | None = None,
    causation_id: int | None = None,
    correlation_id: str | None = None,
    folder: Domain | None = None,
    asked: Any = None,
) -> list[Commit]:
    """Decide commands as one unit and wait until they are committed.

    Args:
        folder: Folds what the pstate lacks, where ``domain`` is a data type.
        asked: What an idempotency key stands for; the commands and their parameters by default.
    """
    core.check_caller()
    for command, _ in commands:
        check_command(command)
    if expected_sequence is not None:
        check_sequence(expected_sequence, "expected_sequence")
    work = Execute(
        domain or NO_DOMAIN,
        commands,
        causes(causation_id, correlation_id),
        expected_sequence,
        expect_versions(expected_version),
    )
    fingerprint = b""
    if idempotency_key is not None:
        check_name(idempotency_key, "idempotency key")
        content = [[name_of(command), params] for command, params in commands]
        fingerprint = idempotency.fingerprint("execute", content if asked is None else asked)
    while True:
        try:
            return await _submit(core, space, work, idempotency_key, fingerprint)
        except StateBehindError:
            own = domain is not None and domain.own
            await catch_up_all(core, space, (folder if own else domain) or NO_DOMAIN)


async def append(  # noqa: PLR0913 - what a call may say
    core: Core,
    space: SpaceLike,
    domain: Domain | None,
    new_events: Iterable[NewEvent],
    *,
    expected_sequence: int | None = None,
    expected_version: ExpectedVersions | None = None,
    boundary: Expectation | None = None,
    idempotency_key: str | None = None,
    causation_id: int | None = None,
    correlation_id: str | None = None,
) -> Commit:
    """Add facts as they are, within a boundary, and wait until they are committed."""
    core.check_caller()
    if expected_sequence is not None:
        check_sequence(expected_sequence, "expected_sequence")
    events = list(checked_events(new_events, "append_many"))  # the caller may change his list
    work = Append(
        domain,
        events,
        causes(causation_id, correlation_id),
        expected_sequence,
        boundary or expect_versions_of(events, domain, expected_version),
    )
    fingerprint = b""
    if idempotency_key is not None:
        check_name(idempotency_key, "idempotency key")
        content = [
            [
                e.event_type,
                e.entity_id,
                decode(encode_payload(e.payload, f"payload of {e.event_type}")),
                # only where there are some: keys that were stored before still fit
                *([checked_tags(e.tags, f"tags of {e.event_type}")] if e.tags else []),
            ]
            for e in events
        ]
        fingerprint = idempotency.fingerprint("append", content)
    found = await core.resolve(space)
    return (await _submit(core, found, work, idempotency_key, fingerprint))[0]


def submit(core: Core, space: Space, work: Work) -> Awaitable[list[Commit]]:
    """Hand work on a space that has its row to the writer, and wait until it is committed."""
    return _submit(core, space, work, None, b"")


def _submit(
    core: Core, space: Space, work: Work, key: str | None, fingerprint: bytes
) -> Awaitable[list[Commit]]:
    if not space.space_id:
        return _submit_first(core, space, work, key, fingerprint)
    future: asyncio.Future[list[Commit]] = asyncio.get_running_loop().create_future()
    job = Job(space.space_id, space.space_name, work, future, key, fingerprint)
    confirm = core.confirming.get(space.space_id) if core.confirming else None
    if confirm is not None and isinstance(work, (Execute, Append)):  # not what a layer brought
        return _confirmed(_begun(core, job), confirm)
    return _begun(core, job)


def _begun(core: Core, job: Job) -> Awaitable[list[Commit]]:
    if core.watch is not None:
        return _watched(core, core.watch, job)
    return core.writer.submit(job)


async def _confirmed(work: Awaitable[list[Commit]], confirm: Confirm) -> list[Commit]:
    """Wait until a commit is also where its space wants it."""
    commits = await work
    if any(commit.events for commit in commits):
        await confirm()
    return commits


async def _submit_first(
    core: Core, space: Space, work: Work, key: str | None, fingerprint: bytes
) -> list[Commit]:
    commits = try_empty(space, work, core.clock())
    if key is None and not any(commit.events for commit in commits):
        return commits
    return await _submit(core, await core.saved(space), work, key, fingerprint)


async def _watched(core: Core, watch: Watch, job: Job) -> list[Commit]:
    name = type(job.work).__name__.lower()
    with watch.operation(name, job.space_name) as operation:
        commits = await core.writer.submit(job)
        operation.facts["events"] = sum(len(commit.events) for commit in commits)
    return commits


def name_of(command: Callable[..., Any]) -> str:
    """Return what a function is called, by which a repeat is told."""
    module = getattr(command, "__module__", "")
    return f"{module}.{getattr(command, '__qualname__', type(command).__qualname__)}"
