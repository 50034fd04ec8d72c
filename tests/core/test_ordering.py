"""The orders that can be declared, and nothing else."""

import pytest

from ramax.core.ordering import check_order
from ramax.errors import DataError


@pytest.mark.parametrize("order", ["any", "canonical"])
def test_an_order_is_one_of_two(order):
    assert check_order(order, "order") == order


@pytest.mark.parametrize("wrong", ["arrival", "", None, 1, True, ["any"]])
def test_anything_else_is_refused_with_what_may_be_given(wrong):
    with pytest.raises(DataError, match="order .*'any', 'canonical'"):
        check_order(wrong, "order")
