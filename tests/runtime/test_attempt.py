"""A trial tells its caller what came of it; commits stand at the heads that they left."""

import asyncio

import pytest

from ramax.core.event_row import EventRow
from ramax.core.new_events import Causes
from ramax.errors import MisuseError
from ramax.runtime.attempt import COMMANDS_OWN, Trial, commits_of
from ramax.runtime.jobs import Append, Job
from tests.core._sources import packed


def row(sequence):
    return EventRow(sequence, "e", "t", packed({}), 0, None, None, None)


def trial():
    future = asyncio.get_running_loop().create_future()
    return Trial(Job(1, "s", Append(None, [], Causes()), future))


async def test_a_caller_gets_the_commits_or_the_error():
    good, bad = trial(), trial()
    good.commits = commits_of(1, [(row(1),)], {1: 10}, 0)
    bad.fail(error := ValueError("no"))
    good.tell()
    bad.tell()
    assert good.job.future.result() is good.commits
    assert bad.job.future.exception() is error


@pytest.mark.parametrize("raised", [asyncio.CancelledError(), GeneratorExit()])
async def test_what_would_look_like_a_cancellation_is_a_mistake_of_the_command(raised):
    assert isinstance(raised, COMMANDS_OWN)
    guilty = trial()
    guilty.fail(raised)
    assert isinstance(guilty.error, MisuseError)
    assert type(raised).__name__ in str(guilty.error)
    assert guilty.error.__cause__ is raised


def test_a_command_without_events_stands_where_the_one_before_left():
    groups = [(), (row(5), row(6)), (), (row(7),)]
    commits = commits_of(1, groups, {5: 50, 6: 60, 7: 70}, 4)
    assert [commit.space_sequence for commit in commits] == [4, 6, 6, 7]
    assert [[event.event_id for event in commit.events] for commit in commits] == [
        [],
        [50, 60],
        [],
        [70],
    ]
