import pytest

from ramax.legacy import EventIds


def noted(*pairs):
    ids = EventIds()
    for old, new in pairs:
        ids.add(old, new)
    ids.sort()
    return ids


@pytest.mark.parametrize(
    "pairs", [[(1, 10), (4, 11), (9, 12)], [(4, 11), (9, 12), (1, 10)], [(9, 12), (4, 11), (1, 10)]]
)
def test_each_old_id_leads_to_its_new_one_in_whatever_order_they_were_noted(pairs):
    ids = noted(*pairs)
    assert list(ids) == [(1, 10), (4, 11), (9, 12)]
    assert [ids.new(old) for old in (0, 1, 2, 4, 9, 10)] == [None, 10, None, 11, 12, None]
    assert len(ids) == 3
    assert not ids.are_the_old_ones()


def test_kept_ids_are_what_they_were_and_take_no_room():
    ids = EventIds(kept=True)
    assert ids.new(7) == 7
    assert list(ids) == []


def test_ids_that_were_noted_may_be_the_old_ones():
    assert noted((2, 2), (1, 1)).are_the_old_ones()
    assert EventIds().new(1) is None


def test_ids_of_any_64_bits_fit():
    ids = noted((2**63 - 1, 1), (-(2**63), 2))
    assert (ids.new(2**63 - 1), ids.new(-(2**63))) == (1, 2)
