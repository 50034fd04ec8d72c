"""Upcasters as a domain registers, checks and runs them; pure."""

from typing import Any

import pytest

from ramax import Domain, Event, MisuseError, NewEvent, UpcastError
from ramax.core.upcast import MAX_STEPS
from ramax.errors import DataError
from ramax.values import applied_event, marked, recorded_event


def stored(event_type: str = "t", payload: Any = None, version: int = 1) -> Event:
    event = recorded_event(
        9, 3, 5, "e", event_type, payload or {"n": 1}, 7_000, 4, "c", {"by": "ann"}
    )
    return marked(event, version, ("old",))


def upcast(domain: Domain, *events: Event) -> list[Event]:
    domain.freeze()
    return list(domain.upcast(events, "s"))


def three_versions() -> Domain:
    domain = Domain("d")

    @domain.upcaster("t", from_version=1)
    def _one(event: Event) -> dict[str, Any]:
        return {"n": event.payload["n"], "unit": "m"}

    @domain.upcaster("t", from_version=2)
    def _two(event: Event) -> dict[str, Any]:
        return {"length": [event.payload["n"], event.payload["unit"]]}

    return domain


def test_an_event_runs_through_the_chain_from_its_own_version_on():
    old, middle, new = upcast(
        three_versions(),
        stored(),
        stored(payload={"n": 2, "unit": "ft"}, version=2),
        stored(payload={"length": [3, "m"]}, version=3),
    )
    assert [e.payload["length"] for e in (old, middle, new)] == [[1, "m"], [2, "ft"], [3, "m"]]
    assert [e.version for e in (old, middle, new)] == [3, 3, 3]


def test_what_an_upcaster_does_not_say_is_as_it_was():
    [event] = upcast(three_versions(), stored())
    assert (event.event_id, event.space_id, event.space_sequence, event.micros) == (9, 3, 5, 7_000)
    assert (event.entity_id, event.causation_id, event.correlation_id) == ("e", 4, "c")
    assert (event.metadata, event.tags) == ({"by": "ann"}, ("old",))


def test_an_applicators_event_has_no_ids_after_upcasting_either():
    event = applied_event(5, "e", "t", {"n": 1}, 7, None, None, None)
    [made] = upcast(three_versions(), event)
    assert not hasattr(made, "event_id")
    assert made.payload == {"length": [1, "m"]}


def test_an_upcaster_never_sees_ids():
    domain, seen = Domain("d"), []

    @domain.upcaster("t", from_version=1)
    def _(event: Event) -> dict[str, Any]:
        seen.append((hasattr(event, "event_id"), event.space_sequence, event.tags, event.version))
        return {}

    upcast(domain, stored())
    assert seen == [(False, 5, ("old",), 1)]


def test_one_event_becomes_several_of_other_types_which_are_upcast_further():
    domain = Domain("d")

    @domain.upcaster("moved", from_version=1)
    def _split(event: Event) -> list[NewEvent]:
        return [
            NewEvent("left", {"from": event.payload["a"]}, tags=["x"], metadata={"of": 1}),
            NewEvent("arrived", {"at": event.payload["b"]}, entity_id="other"),
        ]

    @domain.upcaster("left", from_version=1)
    def _left(event: Event) -> NewEvent:
        return NewEvent("departed", event.payload, causation_id=8, correlation_id="k")

    first, second = upcast(domain, stored("moved", {"a": 1, "b": 2}))
    assert (first.event_type, first.payload, first.version) == ("departed", {"from": 1}, 1)
    assert (first.tags, first.metadata) == (("x",), {"of": 1})
    assert (first.causation_id, first.correlation_id) == (8, "k")
    assert (second.event_type, second.entity_id, second.tags) == ("arrived", "other", ("old",))
    assert {e.space_sequence for e in (first, second)} == {5}
    assert {e.event_id for e in (first, second)} == {9}
    assert [e.part for e in (first, second)] == [0, 1]


def test_an_event_can_be_dropped():
    domain = Domain("d")
    domain.upcaster("t", from_version=1)(lambda _: [])
    assert [e.event_type for e in upcast(domain, stored(), stored("u"))] == ["u"]


def test_a_rename_may_name_the_version_of_the_new_type():
    domain = Domain("d")
    domain.upcaster("new", from_version=1)(lambda _: {"was": 1})
    domain.upcaster("old", from_version=1)(lambda _: NewEvent("new", {"was": 2}, version=2))
    assert [e.payload for e in upcast(domain, stored("old"), stored("new"))] == [
        {"was": 2},
        {"was": 1},
    ]


def test_values_are_nobody_elses():
    shared: dict[str, Any] = {"list": []}
    domain = Domain("d")
    domain.upcaster("t", from_version=1)(lambda _: shared)
    one, two = upcast(domain, stored(), stored())
    one.payload["list"].append(1)
    assert two.payload == shared == {"list": []}


def test_a_domain_without_upcasters_gives_the_very_same_events():
    event = stored("t")
    assert upcast(Domain("d"), event)[0] is event


# -- completeness --------------------------------------------------------------------------------


def test_a_gap_in_a_chain_is_found_when_the_domain_is_opened():
    domain = Domain("d")
    domain.upcaster("t", from_version=1)(lambda _: {})
    domain.upcaster("t", from_version=3)(lambda _: {})
    with pytest.raises(MisuseError, match=r"no upcaster for version 2 of 't'.*newest version is 4"):
        domain.freeze()


def test_a_declared_version_without_its_upcaster_is_found():
    domain = Domain("d", versions={"t": 3})
    domain.upcaster("t", from_version=1)(lambda _: {})
    with pytest.raises(MisuseError, match="no upcaster for version 2 of 't'"):
        domain.freeze()
    domain.upcaster("t", from_version=2)(lambda _: {})
    domain.freeze()


def test_an_upcaster_of_the_newest_version_is_found():
    domain = Domain("d", versions={"t": 2})
    domain.upcaster("t", from_version=1)(lambda _: {})
    domain.upcaster("t", from_version=2)(lambda _: {})
    with pytest.raises(MisuseError, match="for version 2 of 't', whose newest version is 2"):
        domain.freeze()


def test_a_version_is_upcast_once():
    domain = Domain("d")
    domain.upcaster("t", from_version=1)(lambda _: {})
    with pytest.raises(MisuseError, match="version 1 of 't' is upcast twice"):
        domain.upcaster("t", from_version=1)(lambda _: {})


@pytest.mark.parametrize("version", [0, -1, "1", 1.0, True, 2**15])
def test_a_version_is_a_small_positive_int(version):
    with pytest.raises(DataError, match="from_version"):
        Domain("d").upcaster("t", from_version=version)(lambda _: {})
    with pytest.raises(DataError, match="version of t"):
        Domain("d", versions={"t": version})


def test_upcasters_are_plain_functions_registered_before_use():
    domain = Domain("d")

    async def later(event: Event) -> dict[str, Any]:
        return {}

    for wrong in (later, 7):
        with pytest.raises(MisuseError, match="plain function"):
            domain.upcaster("t", from_version=1)(wrong)  # type: ignore[type-var]
    domain.freeze()
    with pytest.raises(MisuseError, match="in use"):
        domain.upcaster("t", from_version=1)(lambda _: {})


def test_combined_domains_share_their_chains():
    one, two = Domain("one"), Domain("two", versions={"t": 2})
    one.upcaster("t", from_version=1)(lambda _: {"from": "one"})
    with pytest.raises(MisuseError, match="no upcaster for version 1"):
        Domain.combine(two)
    both = Domain("both", versions={"t": 2, "u": 2})
    both.upcaster("t", from_version=1)(lambda _: {})
    both.upcaster("u", from_version=1)(lambda _: {})
    with pytest.raises(MisuseError, match="upcast twice"):
        Domain.combine(one, both)
    three = Domain("three")
    three.upcaster("v", from_version=1)(lambda _: {"from": "three"})
    joined = Domain.combine(one, three)
    made = upcast(joined, stored("t"), stored("v"))
    assert [(e.event_type, e.payload["from"]) for e in made] == [("t", "one"), ("v", "three")]


# -- failures ------------------------------------------------------------------------------------


BAD: Any = {1: 1}


def failing(event: Event) -> dict[str, Any]:
    raise KeyError("unit")


@pytest.mark.parametrize(
    ("upcaster", "reason"),
    [
        (failing, "KeyError('unit')"),
        (lambda _: None, "returned NoneType; it must return the new payload"),
        (lambda _: "x", "returned str"),
        (lambda _: [{}], "returned list"),
        (lambda _: {"x": object()}, "payload of t"),
        (lambda _: {1: 2}, "keys of type str"),
        (lambda _: NewEvent("", {}), "event type"),
        (lambda _: NewEvent("u", {}, entity_id=""), "entity id of u"),
        (lambda _: NewEvent("u", {}, version=2), "knows versions up to 1"),
        (lambda _: NewEvent("t", {}, version=1), "must be above 1"),
        (lambda _: NewEvent("u", {}, tags="x"), "tags of u"),
        (lambda _: NewEvent("u", {}, metadata=BAD), "metadata of u"),
    ],
)
def test_what_goes_wrong_names_space_sequence_type_and_version(upcaster, reason):
    domain = Domain("d")
    domain.upcaster("t", from_version=1)(upcaster)
    with pytest.raises(UpcastError) as caught:
        upcast(domain, stored())
    error = caught.value
    assert (error.space, error.sequence) == ("s", 5)
    assert error.event_type in {"t", "u"}
    assert reason in str(error)
    assert "event 5 of space 's'" in str(error)


def test_the_upcasters_own_exception_is_the_cause():
    domain = Domain("d")
    domain.upcaster("t", from_version=1)(failing)
    with pytest.raises(UpcastError) as caught:
        upcast(domain, stored())
    assert isinstance(caught.value.__cause__, KeyError)


def test_a_chain_without_an_end_is_an_error():
    domain = Domain("d")
    domain.upcaster("a", from_version=1)(lambda _: NewEvent("b", {}))
    domain.upcaster("b", from_version=1)(lambda _: NewEvent("a", {}))
    with pytest.raises(UpcastError, match=f"does not end in {MAX_STEPS} steps"):
        upcast(domain, stored("a"))


def test_a_version_of_the_future_is_refused_where_the_domain_handles_the_type():
    domain = three_versions()
    with pytest.raises(UpcastError, match="knows versions up to 3; deploy the newer code"):
        upcast(domain, stored(version=4))
    plain = Domain("plain")
    plain.applicator("t")(lambda _state, _event: None)
    with pytest.raises(UpcastError, match="knows versions up to 1"):
        upcast(plain, stored(version=2))
    assert upcast(plain, stored("not ours", version=2))[0].version == 2
    with pytest.raises(UpcastError, match="knows versions up to 1"):
        upcast(Domain("all", lambda _state, _event: None), stored(version=2))


# -- writing -------------------------------------------------------------------------------------


def test_a_new_event_is_of_the_newest_version_unless_it_says_otherwise():
    domain = three_versions()
    assert domain.written_version("t", None) == 3
    assert domain.written_version("t", 1) == 1
    assert domain.written_version("u", None) == 1
    assert domain.written_version("u", 7) == 7  # nobody here handles it
    with pytest.raises(DataError, match="the newest in this domain is 3"):
        domain.written_version("t", 4)
    with pytest.raises(DataError, match="must be an int"):
        domain.written_version("t", 0)
