"""Work on a space that is not there decides as on an empty one, and leaves nothing."""

import pytest

from ramax import ConcurrencyError, Space
from ramax.core.new_events import Causes
from ramax.runtime.jobs import Append, Execute
from ramax.runtime.rehearsal import try_empty
from ramax.values import EPOCH, NewEvent
from tests._domains import add, add_read, counter, refuse

GHOST = Space(0, "ghost", EPOCH)


def work(command, **more):
    return Execute(counter(), [(command, None)], Causes(), **more)


def test_a_command_decides_on_nothing():
    (commit,) = try_empty(GHOST, work(add_read), 5)
    assert [event.payload for event in commit.events] == [{"by": 1, "was": 0}]
    assert (commit.space_sequence, commit.events[0].event_id) == (1, 0)


def test_a_no_is_a_no():
    with pytest.raises(Exception, match="no"):
        try_empty(GHOST, work(refuse), 5)


def test_nothing_that_is_expected_is_there():
    with pytest.raises(ConcurrencyError):
        try_empty(GHOST, work(add, expected_sequence=1), 5)
    assert try_empty(GHOST, work(add, expected_sequence=0), 5)[0].space_sequence == 1


def test_facts_are_numbered_from_one():
    facts = [NewEvent("noted", {}, entity_id="e")] * 2
    (commit,) = try_empty(GHOST, Append(None, facts, Causes()), 5)
    assert [event.space_sequence for event in commit.events] == [1, 2]
