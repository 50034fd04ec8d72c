"""A turn that goes on for long is named, again and again, until it ends."""

import asyncio
import logging

from ramax.runtime.turn import Turn


def turn(holder="the keeper"):
    return Turn(holder, asyncio.get_running_loop().create_future())


async def test_who_keeps_something_is_named_until_the_end(caplog):
    kept = turn()
    with caplog.at_level(logging.WARNING, "ramax.writer"):
        kept.watch(0.001, "its spaces")
        async with asyncio.timeout(25):
            while len(caplog.messages) < 2:
                await asyncio.sleep(0)
        timer = kept._watch
        assert timer is not None and not timer.cancelled()
        kept.end()
    assert timer.cancelled()


async def test_the_warning_says_who_keeps_what_for_how_long(caplog):
    kept = turn()
    with caplog.at_level(logging.WARNING, "ramax.writer"):
        kept.watch(0.001, "the writer")
        async with asyncio.timeout(25):
            while not caplog.messages:
                await asyncio.sleep(0)
        kept.end()
    assert caplog.messages[0] == "the keeper has kept the writer for more than 0.001 s"


async def test_the_end_of_a_turn_ends_the_patience_of_those_behind_it():
    kept = turn()
    kept.expiry = asyncio.get_running_loop().call_later(60, lambda: None)
    kept.end()
    assert kept.expiry.cancelled()
    turn().end()  # it may never have begun
