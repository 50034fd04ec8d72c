"""For your test suite: states that commands meet, without a database; and what a layer must do."""

from ramax.testing.layer_contract import LayerContract
from ramax.testing.states import given

__all__ = ["LayerContract", "given"]
