"""What commands and callers give becomes rows, or an error that names it."""

from types import MappingProxyType

import pytest

from ramax import Domain, NewEvent
from ramax.core.new_events import Causes, checked_events, encode_event
from ramax.errors import CodecError, DataError, MisuseError
from tests.core._sources import packed

NOW = 1_700_000_000_000_000

by_id = Domain("d", entity_id=lambda payload: payload.get("id", "e"))


def row(new, domain=by_id, causes=None):
    return encode_event(domain, new, causes or Causes(), 5, NOW)


# -- from a command ------------------------------------------------------------------------------


def rubbish(state, params):
    raise NotImplementedError


async def unawaited():
    return []


@pytest.mark.parametrize(
    "result", [None, 5, "added", b"added", {"a": 1}, [None], [("added", {})], NewEvent("a", {})]
)
def test_a_command_that_gives_something_else_is_named(result):
    with pytest.raises(MisuseError, match="rubbish must give"):
        checked_events(result, rubbish)


def test_an_async_command_is_named():
    with pytest.raises(MisuseError, match="unawaited is async"):
        checked_events(unawaited(), unawaited)


def test_a_list_of_new_events_is_taken_as_it_is_and_others_once():
    events = [NewEvent("added", {"by": n}) for n in range(3)]
    assert checked_events(events, rubbish) is events
    assert checked_events(iter(events), rubbish) == events
    assert checked_events(tuple(events), "append") == events


# -- into a row ----------------------------------------------------------------------------------


def test_a_row_has_what_it_was_given_and_its_place():
    made = row(NewEvent("added", {"id": "a"}, metadata={"m": 1}), causes=Causes(3, "c"))
    assert made[:5] == (5, "a", "added", packed({"id": "a"}), NOW)
    assert made[5:] == (3, "c", packed({"m": 1}), 1, None)


def test_causes_are_inherited_unless_an_event_has_its_own():
    causes = Causes(3, "all")
    inherited = row(NewEvent("a", {}), causes=causes)
    own = row(NewEvent("a", {}, causation_id=9, correlation_id="own"), causes=causes)
    assert (inherited.causation_id, inherited.correlation_id) == (3, "all")
    assert (own.causation_id, own.correlation_id) == (9, "own")


def test_the_entity_id_of_the_event_wins_over_the_extractor():
    assert row(NewEvent("a", {"id": "a"}, entity_id="b")).entity_id == "b"


@pytest.mark.parametrize("domain", [Domain("none"), None])
def test_an_event_without_an_entity_id_names_its_type(domain):
    with pytest.raises(DataError, match=r"card\.moved.*entity id"):
        row(NewEvent("card.moved", {}), domain)


def test_payloads_may_be_any_mapping():
    assert row(NewEvent("a", MappingProxyType({"a": 1}))).payload == packed({"a": 1})


@pytest.mark.parametrize(
    ("new", "error", "named"),
    [
        (NewEvent("", {}), DataError, "event type"),
        (NewEvent("ramax.kv.set", {}), DataError, "are those of ramax's data types"),
        (NewEvent("a", {"x": object()}), CodecError, "payload of a"),
        (NewEvent("a", {}, metadata={"x": object()}), CodecError, "metadata of a"),
        (NewEvent("a", {}, entity_id="x" * 2000), DataError, "entity id of a"),
        (NewEvent("a", {}, causation_id=-1), DataError, "causation_id"),
        (NewEvent("a", {}, tags=["x", ""]), DataError, "tag"),
        (NewEvent("a", {}, version=0), DataError, "version of a"),
    ],
)
def test_a_field_that_breaks_a_rule_is_named(new, error, named):
    with pytest.raises(error, match=named):
        row(new)
