from ramax.core.clock import COUNTER_BITS, wall_stamp
from ramax.core.sync.head import ReplicaHead
from ramax.core.sync.runs import ALONE, COUNTED, TIMED, Run

ORIGIN = b"o" * 16
NOW = 1_700_000_000_000_000
SECOND = 1_000_000


def test_a_head_comes_back_as_it_was_packed():
    head = ReplicaHead(ORIGIN, 7, 2**63 - 1, TIMED)
    assert len(head.pack()) == 33
    assert ReplicaHead.unpack(head.pack()) == head


def test_a_head_of_an_older_version_begins_a_run():
    assert ReplicaHead.unpack(ReplicaHead(ORIGIN, 7, 9, TIMED).pack()[:32]) == (ORIGIN, 7, 9, ALONE)


def test_own_events_are_numbered_and_come_after_all_that_is_known():
    stamps, run, head = ReplicaHead(ORIGIN).own(1, 1, NOW)
    assert list(stamps) == [wall_stamp(NOW)]
    assert run == Run(1, ORIGIN, 1, wall_stamp(NOW), TIMED)
    ahead = head.observed(head.stamp + 5)
    stamps, run, head = ahead.own(3, 1, NOW - 10 * SECOND)
    assert (head.origin_seq, list(stamps)) == (2, [ahead.stamp + 1])
    assert run == Run(3, ORIGIN, 2, ahead.stamp + 1, COUNTED)


def test_an_older_stamp_moves_nothing_but_ends_the_run():
    head = ReplicaHead(ORIGIN, 1, 100, TIMED)
    assert head.observed(99) == (ORIGIN, 1, 100, ALONE)


def grown(head: ReplicaHead, commits):
    """Give commits of (events, time) their stamps; return the runs, and (sequence, time, stamp)."""
    runs: list[Run] = []
    given: list[tuple[int, int, int]] = []
    for count, micros in commits:
        first = len(given) + 1
        stamps, run, head = head.own(first, count, micros)
        runs += [] if run is None else [run]
        given += [(first + n, micros, stamp) for n, stamp in enumerate(stamps)]
    return runs, given


def told(runs, sequence, micros):
    return [run for run in runs if run.sequence <= sequence][-1].stamp_at(sequence, micros)


def test_a_log_of_one_writer_is_one_run_whatever_the_commits():
    commits = [(n % 7 + 1, NOW + n * 300) for n in range(500)]  # several in a millisecond
    runs, given = grown(ReplicaHead(ORIGIN), commits)
    assert len(runs) == 1
    stamps = [stamp for _, _, stamp in given]
    assert stamps == sorted(set(stamps))
    assert [told(runs, sequence, micros) for sequence, micros, _ in given] == stamps


def test_stamps_ascend_over_clocks_that_stand_still_and_counters_that_overflow():
    still = [(30_000, NOW)] * 5  # more events than a millisecond has numbers
    behind = [(3, NOW - SECOND), (100_000, NOW + 2 * SECOND), (1, NOW + 2 * SECOND)]
    later = [(2, NOW + 60 * SECOND), (2, NOW + 61 * SECOND)]
    runs, given = grown(ReplicaHead(ORIGIN), [*still, *behind, *later])
    stamps = [stamp for _, _, stamp in given]
    assert stamps == sorted(set(stamps))
    assert [told(runs, sequence, micros) for sequence, micros, _ in given] == stamps
    assert len(runs) < 9
    assert stamps[-1] >> COUNTER_BITS == (NOW + 61 * SECOND) // 1000
