"""How a layer stands is told by what was heard of it, and remembered."""

import asyncio

from ramax.storage.layer_cursors import LayerCursor
from ramax.sync.layer import LayerInfo
from ramax.sync.standing import Standing
from tests.core.sync._records import ANNE, BOB

UID = b"space-uid-of-one"


def test_what_was_remembered_is_told_until_something_is_heard():
    standing = Standing("server", LayerCursor("server", {ANNE: 2}, b"e", 1, 2, "gone", 0))
    status = standing.status({ANNE: 5})
    assert (status.state, status.behind, status.last_error) == ("connecting", 3, "gone")
    standing.works()
    assert standing.status({ANNE: 5}).last_error is None
    assert standing.cursor() == LayerCursor("server", {ANNE: 2}, b"e", 1, None, None, 0)


def test_a_layer_of_another_epoch_or_with_less_than_it_had_was_reset():
    for info, there, reset in [
        (LayerInfo(UID, b"e"), {ANNE: 2}, False),
        (LayerInfo(UID, b"e"), {ANNE: 3, BOB: 1}, False),
        (LayerInfo(UID, b"f"), {ANNE: 2}, True),
        (LayerInfo(UID, b"e"), {ANNE: 1}, True),
    ]:
        standing = Standing("server", LayerCursor("server", {ANNE: 2}, b"e"))
        assert standing.looked(info, there, now=7) is reset
        assert standing.cursor().vector == there


def test_only_the_first_failure_in_a_row_is_news():
    standing = Standing("server", None)
    assert standing.failed(OSError("a"), 1)
    assert not standing.failed(OSError("b"), 2)
    assert (standing.status({}).failures, standing.status({}).last_error) == (2, "b")
    standing.connecting()
    standing.works()
    assert standing.failed(OSError("c"), 3)
    assert standing.status({}).failures == 1


def test_it_is_due_when_something_happened_and_the_last_time_is_long_ago():
    standing = Standing("server", None)
    assert not standing.due(100, 10)
    standing.heard(100)
    assert standing.due(100, 10)
    standing.saved(100)
    assert not standing.due(100, 0)
    standing.heard(105)
    assert not standing.due(105, 10)
    assert standing.due(110, 10)
    assert standing.due(50, 10), "the clock was set back"


async def test_what_is_remembered_of_a_layer_is_not_what_it_has():
    standing = Standing("server", LayerCursor("server", {ANNE: 2}))
    waiting = asyncio.ensure_future(standing.reached({ANNE: 2}))
    await asyncio.sleep(0)
    assert not waiting.done()
    standing.works()
    await waiting
