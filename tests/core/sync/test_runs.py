import random

from ramax.core.clock import wall_stamp
from ramax.core.sync.runs import (
    ALONE,
    COUNTED,
    TIMED,
    Place,
    Run,
    next_timed,
    rule_from,
    runs_of,
    seq_of,
    uid_of,
)

ONE, TWO = b"device-of-origin", b"server-of-origin"
NOW = 1_700_000_000_000_000


def place(origin: bytes, seq: int, stamp: int, **more) -> Place:
    return Place(uid_of(origin, seq), origin, seq, stamp)._replace(**more)


def test_a_uid_tells_its_event_to_who_knows_the_origin():
    uids = {uid_of(origin, seq) for origin in (ONE, TWO) for seq in range(1, 500)}
    assert len(uids) == 998
    assert {len(uid) for uid in uids} == {16}
    assert seq_of(uid_of(ONE, 2**63 - 1), ONE) == 2**63 - 1
    assert seq_of(uid_of(ONE, 5), TWO) is None
    assert seq_of(ONE, ONE) is None


def test_events_by_one_rule_are_one_run():
    wall = wall_stamp(NOW)
    counted = [(n, NOW, place(ONE, n, 7 + n)) for n in range(1, 5)]
    assert runs_of(counted) == [Run(1, ONE, 1, 8, COUNTED)]
    timed = [(n, NOW + n * 5000, place(ONE, n, wall_stamp(NOW + n * 5000) + n)) for n in (1, 2, 3)]
    assert runs_of(timed) == [Run(1, ONE, 1, wall_stamp(NOW + 5000) + 1, TIMED)]
    assert runs_of([(1, NOW, place(ONE, 1, wall + 9)), (2, NOW + 5000, place(ONE, 2, wall + 10))])[
        0
    ] == Run(1, ONE, 1, wall + 9, COUNTED)


def test_whatever_does_not_follow_begins_a_run():
    first = place(ONE, 1, 10)
    for other in (
        place(TWO, 2, 11),
        place(ONE, 3, 11),
        place(ONE, 2, 12),
        place(ONE, 2, 11, late=True),
        place(ONE, 2, 11, uid=b"u" * 16),
        place(ONE, 2, 11, causation=b"u" * 16),
    ):
        assert [run.sequence for run in runs_of([(1, 0, first), (2, 0, other)])] == [1, 2]
        assert [run.sequence for run in runs_of([(1, 0, other), (2, 0, first)])] == [1, 2]


def test_an_event_with_a_uid_or_a_cause_of_its_own_is_alone():
    (run,) = runs_of([(4, 0, place(ONE, 2, 11, uid=b"u" * 16))])
    assert run == Run(4, ONE, 2, 11, ALONE, uid=b"u" * 16)
    assert run.uid_at(4) == b"u" * 16


def test_runs_tell_every_place_that_they_were_made_of():
    rng = random.Random(4)
    given: list[tuple[int, int, Place]] = []
    seqs, stamps = {ONE: 0, TWO: 0}, {ONE: 0, TWO: 0}
    micros = NOW
    for sequence in range(1, 3000):
        origin = given[-1][2].origin if given and rng.random() < 0.8 else rng.choice([ONE, TWO])
        micros += rng.choice([0, 0, 100, 5000])
        seqs[origin] += 1
        stamps[origin] = max(stamps[origin] + rng.choice([1, 1, 1, 3]), wall_stamp(micros))
        new = place(origin, seqs[origin], stamps[origin], late=rng.random() < 0.05)
        given.append((sequence, micros, new))
    runs = runs_of(given)
    assert len(runs) < len(given)
    for sequence, at, expected in given:
        run = [run for run in runs if run.sequence <= sequence][-1]
        found = (run.uid_at(sequence), run.origin, run.seq_at(sequence), run.stamp_at(sequence, at))
        assert found == expected[:4]
        assert run.late == expected.late


def test_a_part_of_a_run_goes_on_as_it_does():
    run = Run(5, ONE, 3, wall_stamp(NOW) + 2, TIMED, late=True)
    later = run.from_there(9, NOW + 7000)
    assert later == Run(9, ONE, 7, wall_stamp(NOW + 7000) + 6, TIMED, late=True)
    assert later.stamp_at(11, NOW + 9000) == run.stamp_at(11, NOW + 9000)


def test_a_counter_does_not_overflow_into_the_time():
    wall = wall_stamp(NOW)
    assert next_timed(wall + 65_530, NOW, 5) == wall + 65_531
    assert next_timed(wall + 65_530, NOW, 6) is None
    assert next_timed(wall + 65_535, NOW, 1) is None
    assert next_timed(wall + 65_535, NOW + 1000, 1) == wall_stamp(NOW + 1000)
    assert next_timed(wall + 5, NOW - 1000, 1) is None
    assert rule_from(wall + 65_535, NOW) == TIMED
    assert rule_from(wall + 65_535, NOW, 2) == COUNTED
    assert rule_from(wall, NOW + 1000) == COUNTED
