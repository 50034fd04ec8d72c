import inspect

from ramax.core.observer import Observer
from ramax.runtime.watching import Watch


def test_an_observer_hears_everything_and_does_nothing():
    verbs = {n for n, _ in inspect.getmembers(Observer, inspect.isfunction) if n[0] != "_"}
    for name in verbs:
        parameters = inspect.signature(getattr(Observer, name)).parameters
        assert getattr(Observer(), name)(*[None] * (len(parameters) - 1)) is None
    assert verbs <= {n for n, _ in inspect.getmembers(Watch)}  # each is told behind a guard


def test_no_call_can_carry_a_payload_a_value_or_a_key():
    names = {
        parameter
        for _, verb in inspect.getmembers(Observer, inspect.isfunction)
        for parameter in inspect.signature(verb).parameters
    }
    assert not names & {"key", "value", "payload", "entity_id", "event", "params"}
