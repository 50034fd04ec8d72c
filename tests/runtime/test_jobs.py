"""A job is wholly or not at all, decided where its caller thinks the space is, and answered once."""

import asyncio
from typing import Any

import pytest

from ramax import ConcurrencyError, NewEvent, Rejected
from ramax.core.guard import Guard
from ramax.core.new_events import Causes
from ramax.core.state import NothingStored
from ramax.core.unit import SpaceUnit
from ramax.runtime.jobs import Append, Execute, Job, StateBehindError
from ramax.runtime.rehearsal import NothingLogged
from tests._domains import add, counter, nothing, refuse


def unit(head: int = 3, folded: int = 3) -> SpaceUnit:
    return SpaceUnit(7, "acme", Guard(head, 0, 0, folded, None), NothingStored())


def run(work: Execute | Append, on: SpaceUnit) -> list[list[int]]:
    return [[row.sequence for row in group] for group in work.run(on, NothingLogged(), 1)]


def execute(*commands: Any, expected: int | None = None) -> Execute:
    return Execute(counter(), [(command, None) for command in commands], Causes(), expected)


def append(expected: int | None = None) -> Append:
    return Append(None, [NewEvent("noted", {}, entity_id="n")], Causes(), expected)


def test_commands_give_a_group_of_events_each() -> None:
    assert run(execute(add, nothing, add), unit()) == [[4], [], [5]]


def test_of_several_commands_all_are_kept_or_none() -> None:
    on = unit()
    with pytest.raises(Rejected):
        run(execute(add, refuse), on)
    assert (on.rows, on.head, on.domains) == ([], 3, None)
    assert run(execute(add), on) == [[4]]
    assert on.domains == frozenset({"counter"})


def test_a_decision_without_events_records_no_domain() -> None:
    on = unit()
    assert run(execute(nothing), on) == [[]]
    assert on.domains is None


def test_only_facts_may_be_added_while_the_pstate_is_behind() -> None:
    with pytest.raises(StateBehindError):
        run(execute(add), unit(head=3, folded=2))
    assert run(append(), unit(head=3, folded=2)) == [[4]]


@pytest.mark.parametrize("kind", ["execute", "append"])
def test_work_for_another_sequence_is_refused(kind: str) -> None:
    def work(expected: int) -> Execute | Append:
        return execute(add, expected=expected) if kind == "execute" else append(expected)

    for expected in (2, 4):
        with pytest.raises(ConcurrencyError) as caught:
            run(work(expected), unit(head=3))
        assert (caught.value.expected, caught.value.actual) == (expected, 3)
    assert run(work(3), unit(head=3)) == [[4]]


async def test_a_caller_gets_the_first_answer_and_one_that_left_gets_none() -> None:
    stays, left = (
        Job(7, "acme", append(), asyncio.get_running_loop().create_future()) for _ in range(2)
    )
    stays.fail(Rejected("no"))
    stays.answer([])
    left.future.cancel()
    left.answer([])
    left.fail(Rejected("no"))
    assert str(stays.future.exception()) == "no"
    assert left.future.cancelled()
