from ramax.core.sync.backoff import Backoff


def test_each_failure_doubles_the_wait_up_to_the_most():
    backoff = Backoff(first=1, most=10)
    assert [backoff.wait(failures, 1) for failures in (1, 2, 3, 4, 5, 99_999)] == [
        1,
        2,
        4,
        8,
        10,
        10,
    ]


def test_chance_takes_up_to_half_of_it():
    assert Backoff(first=1, most=10).wait(2, 0) == 1
    assert Backoff(first=1, most=10).wait(2, 0.5) == 1.5
