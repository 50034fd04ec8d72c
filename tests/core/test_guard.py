"""The two halves of a state version: how often it was replaced, and the steps since."""

from ramax.core.guard import Guard


def guard(state_version):
    return Guard(0, state_version, 0, 0, None)


def test_small_steps_are_no_replacements():
    assert guard(0).replacements == 0
    assert guard(2**32 - 1).replacements == 0


def test_a_replacement_moves_to_the_next_multiple_from_anywhere():
    for before in (0, 1, 2**32 - 1, 2**32, 5 * 2**32 + 17):
        now = guard(before)
        after = guard(before + now.step_to_replacement)
        assert after.replacements == now.replacements + 1
        assert after.state_version % 2**32 == 0
