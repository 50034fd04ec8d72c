"""Units of work without a database: what a command contributes, wholly or not at all."""

import pytest

from ramax import Domain, NewEvent, Rejected
from ramax.core.codec import decode
from ramax.core.event_row import as_commit
from ramax.core.guard import Guard
from ramax.core.new_events import Causes
from ramax.core.state import StateUnavailableError
from ramax.core.unit import SpaceUnit
from ramax.errors import CodecError, DataError
from tests.core._sources import Broken, Stored

NOW = 1_700_000_000_000_000
CAUSES = Causes()

domain = Domain("d", entity_id=lambda payload: payload.get("id", "e"))


@domain.applicator("added")
def added(state, event):
    state["n"] = state.get("n", 0) + event.payload["by"]
    state.setdefault("log", []).append(event.space_sequence)


@domain.applicator("dropped")
def dropped(state, event):
    del state[event.entity_id]


@domain.applicator("set")
def put(state, event):
    state[event.entity_id] = event.payload


@domain.applicator("broken")
def broken(state, event):
    state["half"] = 1
    raise ValueError("no such thing")


@domain.applicator("unstorable")
def unstorable(state, event):
    state["ok"] = 1
    state["bad"] = object()


def unit(source=None, *, sequence=0, timestamp=0, checkpoint=None, domains=None):
    guard = Guard(sequence, 0, timestamp, sequence if checkpoint is None else checkpoint, domains)
    return SpaceUnit(7, "acme", guard, source or Stored())


def emit(state, params):
    return [NewEvent(event_type, payload) for event_type, payload in params]


def add(*amounts):
    return [("added", {"by": by}) for by in amounts]


def execute(work, params, command=emit, now=NOW, causes=CAUSES):
    return work.execute(domain, command, params, causes, now)


def values(write):
    return {key: decode(value) for key, value in write.puts.items()}


# -- what is written -----------------------------------------------------------------------------


def test_a_command_gives_rows_a_new_state_and_a_checkpoint():
    work = unit(Stored(n=10, log=[]), sequence=4)
    rows = execute(work, add(1, 2))
    assert [(r.sequence, r.event_type, decode(r.payload)) for r in rows] == [
        (5, "added", {"by": 1}),
        (6, "added", {"by": 2}),
    ]
    write = work.write()
    assert write is not None
    assert values(write) == {"n": 13, "log": [5, 6]}
    assert (write.last_sequence, write.checkpoint, write.deletes) == (6, 6, [])


def test_the_next_command_decides_on_what_the_one_before_left():
    work = unit()
    seen = []

    def look(state, params):
        seen.append(state.get("n"))
        return emit(state, add(1))

    for _ in range(3):
        execute(work, None, look)
    assert seen == [None, 1, 2]
    assert [row.sequence for row in work.rows] == [1, 2, 3]


def test_nothing_done_is_nothing_to_write():
    work = unit()
    assert execute(work, []) == ()
    assert work.write() is None


def test_a_state_that_did_not_change_is_not_written():
    work = unit(Stored(n=1, log=[1]), sequence=1)
    execute(work, [("unknown", {})])
    write = work.write()
    assert write is not None
    assert (write.puts, write.deletes, write.checkpoint) == ({}, [], 2)


def test_only_keys_that_may_be_there_are_deleted():
    work = unit(Stored(stored=1))
    execute(work, [("dropped", {"id": "stored"})])
    write = work.write()
    assert write is not None
    assert write.deletes == ["stored"]


def test_a_key_that_was_set_unseen_and_then_deleted_is_deleted():
    work = unit(Stored(unseen=1))
    execute(work, [("set", {"id": "unseen"}), ("dropped", {"id": "unseen"})])
    write = work.write()
    assert write is not None
    assert (write.puts, write.deletes) == ({}, ["unseen"])


def test_a_key_that_came_and_went_within_a_unit_is_not_put():
    work = unit()
    execute(work, [*add(1), ("dropped", {"id": "n"})])
    write = work.write()
    assert write is not None
    assert values(write) == {"log": [1]}


def test_appending_leaves_state_and_checkpoint_behind():
    work = unit(sequence=2)
    work.append(domain, [NewEvent("added", {"by": 1})], CAUSES, NOW)
    write = work.write()
    assert write is not None
    assert (write.last_sequence, write.checkpoint, write.puts) == (3, None, {})
    assert (work.head, work.folded) == (3, 2)


# -- time ----------------------------------------------------------------------------------------


def test_timestamps_never_fall_though_the_clock_goes_back():
    work = unit(timestamp=NOW)
    stamps = [execute(work, add(1), now=now)[0].micros for now in (NOW - 5, NOW + 3, NOW + 1)]
    assert stamps == [NOW, NOW + 3, NOW + 3]
    write = work.write()
    assert write is not None
    assert write.last_timestamp == NOW + 3


def test_a_command_that_fails_does_not_move_the_time():
    work = unit()
    with pytest.raises(ValueError, match="no such thing"):
        execute(work, [("broken", {})], now=NOW + 100)
    assert execute(work, add(1), now=NOW)[0].micros == NOW


# -- all or nothing ------------------------------------------------------------------------------


def refuse(state, params):
    raise Rejected("no")


@pytest.mark.parametrize(
    ("command", "params", "error"),
    [
        (refuse, None, Rejected),
        (emit, [*add(1), ("broken", {}), *add(1)], ValueError),
        (emit, [*add(1), ("unstorable", {})], CodecError),
        (emit, [*add(1), ("added", {"by": object()})], CodecError),
        (emit, [*add(1), ("dropped", {"id": "missing"})], KeyError),
        (emit, [*add(1), ("", {})], DataError),
        (emit, [*add(1), ("added", {"id": "x" * 2000, "by": 1})], DataError),
        (emit, [*add(1), ("added", {"id": 5, "by": 1})], DataError),
    ],
)
def test_of_a_command_that_fails_nothing_stays(command, params, error):
    work = unit()
    execute(work, add(1))
    before = (list(work.rows), dict(work.state.written), work.folded, work.timestamp, work.head)
    with pytest.raises(error):
        execute(work, params, command, now=NOW + 9)
    after = (list(work.rows), dict(work.state.written), work.folded, work.timestamp, work.head)
    assert after == before
    assert work.state.pending == {}
    execute(work, add(5))
    write = work.write()
    assert write is not None
    assert values(write) == {"n": 6, "log": [1, 2]}


def test_commands_of_one_unit_are_all_or_none():
    work = unit()
    execute(work, add(1))
    with pytest.raises(Rejected):
        work.execute_many(domain, [(emit, add(2)), (emit, add(3)), (refuse, None)], CAUSES, NOW + 9)
    assert len(work.rows) == 1
    groups = work.execute_many(domain, [(emit, add(2)), (emit, []), (emit, add(3, 4))], CAUSES, NOW)
    assert [[row.sequence for row in rows] for rows in groups] == [[2], [], [3, 4]]
    write = work.write()
    assert write is not None
    assert values(write)["n"] == 10


def test_a_storage_failure_that_the_domain_caught_still_fails_the_command():
    def swallowing(state, params):
        try:
            state.get("n")
        except BaseException:
            return []
        raise AssertionError

    work = unit(Broken())
    with pytest.raises(StateUnavailableError):
        execute(work, None, swallowing)
    assert execute(work, [("unknown", {})]) != ()  # it does not stick to the next one


def test_a_damaged_value_that_the_domain_caught_still_fails_the_command():
    def swallowing(state, params):
        try:
            return [NewEvent("added", {"by": state["n"]})]
        except Exception:
            return []

    source = Stored()
    source.values["n"] = b"\xc1"
    with pytest.raises(CodecError):
        execute(unit(source), None, swallowing)


# -- what an applicator sees ---------------------------------------------------------------------


def test_an_applied_event_has_no_ids_of_the_database():
    seen = []
    looking = Domain("looking", event_applicator=lambda _, event: seen.append(event))
    unit(sequence=4).execute(
        looking,
        lambda *_: [NewEvent("a", {"x": 1}, entity_id="e", metadata={"m": 1})],
        None,
        Causes(3, "c"),
        NOW,
    )
    (event,) = seen
    for name in ("event_id", "space_id"):
        with pytest.raises(AttributeError, match=f"{name} is not known"):
            getattr(event, name)
    assert (event.space_sequence, event.entity_id, event.micros) == (5, "e", NOW)
    assert (event.causation_id, event.correlation_id, event.metadata) == (3, "c", {"m": 1})


def test_what_an_applicator_does_to_a_payload_changes_nobody_elses():
    keeping = Domain("keeping", entity_id=lambda _: "e")

    @keeping.applicator("a")
    def keep(state, event):
        state["kept"] = event.payload
        state["kept"]["x"].append(2)
        event.payload["y"] = 1

    params = {"x": [1]}
    work = unit()
    rows = work.execute(keeping, lambda _, p: [NewEvent("a", p)], params, CAUSES, NOW)
    assert params == {"x": [1]}
    assert as_commit(7, rows, {1: 70}, 1).events[0].payload == {"x": [1]}
    write = work.write()
    assert write is not None
    assert values(write) == {"kept": {"x": [1, 2], "y": 1}}
