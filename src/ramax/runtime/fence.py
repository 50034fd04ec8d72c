"""A lost connection is fenced before it is judged: did the batch happen or not?

Moving the state version of the batch's spaces waits for the old backend, or defeats it: after
that, an append that has not landed never will (ADR-0013).
"""

import asyncio
import time
from collections.abc import Mapping

from ramax.core.space_write import SpaceWrite
from ramax.errors import CommitUnknownError, SpaceNotFoundError, StorageError
from ramax.runtime.attempt import Attempt, commits_of
from ramax.storage.backend import Backend
from ramax.storage.events import read_page
from ramax.storage.executors import Executor
from ramax.storage.locks import move_state_version
from ramax.storage.planning import limit_waiting

Verdict = dict[int, tuple[str, Mapping[int, int]]]


async def settle_lost(
    backend: Backend, attempt: Attempt, lost: StorageError, patience: float
) -> None:
    """Sort the jobs of an attempt whose connection broke into answers and retries.

    A job fails with `CommitUnknownError` only where the space has moved on and nothing tells
    whether its events are among those of others. Gives up on a server that stays away for
    ``patience`` seconds: then every job that was being written is unknown.
    """
    writes = {w.space_id: w for w in attempt.plan.spaces} if attempt.plan else {}
    answered, again = [], []
    deadline = time.monotonic() + patience
    delay = 0.01
    while True:
        try:
            left = max(deadline - time.monotonic(), 0.001)
            verdict: Verdict = await backend.locked(
                lambda ex, wait=left: _judge(ex, attempt, writes, wait)  # type: ignore[misc]
            )
            break
        except StorageError as error:
            if time.monotonic() > deadline:
                _give_up(attempt, writes, error)
                return
            await asyncio.sleep(delay)
            delay = min(delay * 2, 1.0)
    for trial in attempt.trials:
        job, groups = trial.job, trial.groups
        outcome, ids = verdict.get(job.space_id, ("retry", {}))
        if outcome == "done" and groups is not None:
            trial.commits = commits_of(job.space_id, groups, ids, trial.head)
        elif outcome == "gone":
            trial.error = SpaceNotFoundError(job.space_name)
        elif outcome == "unknown" and groups is not None and not job.idempotency_key:
            trial.error = _unknown(job.space_name, lost)
        else:
            again.append(job)
            continue
        answered.append(trial)
    attempt.answered, attempt.again = answered, again


def _judge(
    ex: Executor, attempt: Attempt, writes: Mapping[int, SpaceWrite], wait: float
) -> Verdict:
    verdict: Verdict = {}
    limit_waiting(ex, wait)  # the old backend may hang with its locks
    for space_id in sorted(writes):  # locks are taken in id order
        write = writes[space_id]
        now = move_state_version(ex, space_id)
        if now is None:
            verdict[space_id] = ("gone", {})
        elif now[2] == attempt.token:
            verdict[space_id] = ("done", _ids(ex, write))
        elif now[0] == write.guard.last_sequence:
            verdict[space_id] = ("retry", {})
        else:
            verdict[space_id] = ("unknown", {})
    return verdict


def _ids(ex: Executor, write: SpaceWrite) -> dict[int, int]:
    rows = read_page(
        ex,
        write.space_id,
        after=write.guard.last_sequence,
        upto=write.last_sequence,
        limit=max(len(write.events), 1),
    )
    return {row[2]: row[0] for row in rows}


def _give_up(attempt: Attempt, writes: Mapping[int, SpaceWrite], error: StorageError) -> None:
    for trial in attempt.trials:
        sent = trial.job.space_id in writes and trial.groups is not None
        trial.error = _unknown(trial.job.space_name, error) if sent else error
    attempt.answered, attempt.again = attempt.trials, ()


def _unknown(space_name: str, cause: Exception) -> CommitUnknownError:
    error = CommitUnknownError(
        f"the connection broke while writing to space {space_name!r}, and others have written "
        f"since: look whether the command happened, or repeat it with an idempotency_key ({cause})"
    )
    error.__cause__ = cause
    return error
