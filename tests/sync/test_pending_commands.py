"""Pending commands are sent in order; what became of each is known, also after a refusal."""

import pytest

import ramax
from ramax.errors import ClosedError, DataError, LayerUnavailableError, MisuseError
from ramax.sync.authority import Replace, by_name
from ramax.sync.overlay import Overlay
from ramax.sync.pending_commands import PendingCommands
from tests.sync._booking import COMMANDS, book, booking, count


class Desk:
    """An authority that refuses the commands of some keys, and notes what it was asked."""

    def __init__(self, *refused):
        self.refused, self.asked, self.cut = set(refused), [], False

    async def execute(self, _name, _command, params, _key):
        if self.cut:
            raise LayerUnavailableError("desk", "cut")
        self.asked.append(params)
        if params[0] in self.refused:
            raise ValueError(f"{params[0]} is taken")
        return {b"o" * 16: len(self.asked)}


@pytest.fixture
async def kept():
    async with ramax.connect() as db:
        core = db._core
        space = await core.saved(await core.opened("plane"))
        commands = by_name(COMMANDS)
        yield PendingCommands(core, Overlay(core, space, booking, commands), commands)


async def book_seats(kept, *seats):
    return [await kept.add(kept.new(book, (seat, "ann", seat))) for seat in seats]


def drop(_command, _error):
    return "drop"


async def test_commands_are_sent_in_their_order_and_once(kept):
    await book_seats(kept, "1a", "1b")
    desk = Desk()
    await kept.send(desk, drop)
    await kept.send(desk, drop)
    assert [params[0] for params in desk.asked] == ["1a", "1b"]
    assert [each.confirmed for each in await kept.open()] == [True, True]  # not heard of yet


async def test_what_is_dropped_is_gone_and_others_go_on(kept):
    await book_seats(kept, "1a", "1b")
    await kept.send(Desk("1a"), drop)
    assert [each.params[0] for each in await kept.open()] == ["1b"]


async def test_what_is_kept_holds_up_what_follows_and_can_be_given_up(kept):
    first, second = await book_seats(kept, "1a", "1b")
    desk = Desk("1a")
    await kept.send(desk, lambda *_: "keep")
    assert [params[0] for params in desk.asked] == ["1a"]
    assert [each.error for each in await kept.open()] == ["1a is taken", None]
    assert not await kept.drop(second.uid)  # nobody has refused it
    assert await kept.drop(first.uid)
    await kept.send(desk, drop)
    assert [params[0] for params in desk.asked] == ["1a", "1b"]


async def test_a_replacement_takes_the_place_and_is_sent_at_once(kept):
    await book_seats(kept, "1a", "1b")
    desk = Desk("1a")
    await kept.send(desk, lambda *_: Replace(book, ("2a", "ann", "2a")))
    assert [params[0] for params in desk.asked] == ["1a", "2a", "1b"]


async def test_where_nobody_answers_everything_stays(kept):
    await book_seats(kept, "1a")
    desk = Desk()
    desk.cut = True
    with pytest.raises(LayerUnavailableError):
        await kept.send(desk, drop)
    assert [each.error for each in await kept.open()] == [None]


async def test_an_answer_that_is_none_is_refused_and_the_command_stays(kept):
    await book_seats(kept, "1a")
    with pytest.raises(DataError, match="answer to a conflict"):
        await kept.send(Desk("1a"), lambda *_: "perhaps")
    assert len(await kept.open()) == 1


async def test_only_commands_that_were_given_are_kept(kept):
    def unknown(state, params):
        return count(state, params)

    with pytest.raises(MisuseError, match="unknown is not one of the commands"):
        kept.new(unknown, None)


async def test_closed_while_they_are_sent_they_stay(kept):
    await book_seats(kept, "1a", "1b")
    desk = Desk("1a")

    def close(_command, _error):
        kept.close()
        return "drop"

    with pytest.raises(ClosedError):
        await kept.send(desk, close)
    assert len(desk.asked) == 1
