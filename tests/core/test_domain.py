"""Which applicator folds which event, and which entity an event is about."""

from typing import Any

import pytest

from ramax import Domain, MisuseError
from ramax.core.domain import ALL_OTHERS
from ramax.errors import DataError
from ramax.values import applied_event


def event(event_type, **payload):
    return applied_event(1, "e", event_type, payload, 0, None, None, None)


def noting(name):
    def apply(state, event):
        state[event.event_type] = name

    return apply


def applied(domain, *event_types):
    state: dict[str, str] = {}
    for event_type in event_types:
        domain.apply(state, event(event_type))
    return state


def test_an_event_goes_to_the_applicator_of_its_type():
    domain = Domain("d")
    domain.applicator("a.one", "a.two")(noting("a"))
    domain.applicator("b")(noting("b"))
    assert applied(domain, "a.one", "a.two", "b") == {"a.one": "a", "a.two": "a", "b": "b"}


def test_a_type_that_nobody_handles_is_skipped():
    assert applied(Domain("d"), "unknown") == {}


def test_the_star_takes_all_other_types_only():
    domain = Domain("d")
    domain.applicator("*")(noting("rest"))
    domain.applicator("a")(noting("a"))
    assert applied(domain, "a", "b") == {"a": "a", "b": "rest"}
    assert domain.event_types == {"a"}


def test_one_function_may_fold_everything():
    assert applied(Domain("d", event_applicator=noting("all")), "a", "b") == {
        "a": "all",
        "b": "all",
    }


def test_the_decorator_gives_the_function_back():
    function = noting("a")
    assert Domain("d").applicator("a")(function) is function


@pytest.mark.parametrize("types", [(), ("",), ("a", ""), (1,), (["a"],)])
def test_applicator_takes_event_types(types):
    with pytest.raises(MisuseError, match=r"applicator\('a.b'\)"):
        Domain("d").applicator(*types)


def test_the_decorator_without_its_types_is_refused():
    with pytest.raises(MisuseError, match="takes event types"):
        Domain("d").applicator(noting("a"))


@pytest.mark.parametrize("name", ["", None, 1, b"d"])
def test_a_domain_has_a_name(name):
    with pytest.raises(DataError, match="domain name"):
        Domain(name)


def test_a_type_handled_twice_is_an_error_at_once():
    domain = Domain("d", event_applicator=noting("all"))
    domain.applicator("a")(noting("a"))
    with pytest.raises(MisuseError, match="'a' is handled twice"):
        domain.applicator("a")(noting("a again"))
    with pytest.raises(MisuseError, match="twice"):
        domain.applicator(ALL_OTHERS)(noting("all again"))


def test_a_domain_in_use_takes_no_more_types():
    domain = Domain("d")
    domain.freeze()
    with pytest.raises(MisuseError, match="before opening a space"):
        domain.applicator("late")(noting("late"))


async def _async_applicator(state, event): ...


@pytest.mark.parametrize("function", [_async_applicator, None, "apply"])
def test_an_applicator_is_a_plain_function(function):
    with pytest.raises(MisuseError, match="plain function"):
        Domain("d").applicator("a")(function)


def _generator(state, event):
    yield


def _new_state(state, event):
    return {**state, "a": 1}


@pytest.mark.parametrize("function", [_generator, _new_state, lambda *_: False])
def test_an_applicator_that_returns_something_is_an_error(function):
    domain = Domain("d", event_applicator=function)
    with pytest.raises(MisuseError, match="applicator for 'a' returned"):
        domain.apply({}, event("a"))


def test_a_coroutine_from_a_wrapped_applicator_is_an_error_without_a_warning():
    wrapped: Any = lambda *given: _async_applicator(*given)  # noqa: E731
    domain = Domain("d", event_applicator=wrapped)
    with pytest.raises(MisuseError, match="returned coroutine"):
        domain.apply({}, event("a"))


# -- domains that are put together ---------------------------------------------------------------


def one(name, *types, **options):
    domain = Domain(name, **options)
    for event_type in types:
        domain.applicator(event_type)(noting(name))
    return domain


def test_a_combined_domain_folds_what_each_part_folds():
    both = Domain.combine(one("a", "x"), one("b", "y"))
    assert applied(both, "x", "y", "z") == {"x": "a", "y": "b"}
    assert both.names == {"a", "b"}
    assert both.name == "a+b"
    assert both.event_types == {"x", "y"}


def test_combined_domains_combine_again():
    all_three = Domain.combine(Domain.combine(one("a", "x"), one("b", "y")), one("c", "z"))
    assert all_three.names == {"a", "b", "c"}
    assert applied(all_three, "x", "y", "z") == {"x": "a", "y": "b", "z": "c"}


def test_parts_are_frozen_so_that_nothing_is_missing_later():
    part = one("a", "x")
    Domain.combine(part)
    with pytest.raises(MisuseError, match="in use"):
        part.applicator("y")(noting("a"))


def test_a_combined_domain_is_frozen():
    with pytest.raises(MisuseError, match="in use"):
        Domain.combine(one("a")).applicator("y")(noting("y"))


@pytest.mark.parametrize(
    ("parts", "match"),
    [
        ([], "at least one"),
        ([one("a", "x"), one("b", "x")], "'x' is handled twice"),
        ([one("a", "*"), one("b", "*")], r"'\*' is handled twice"),
        ([one("a", "x"), one("a", "y")], "equal names"),
    ],
)
def test_parts_that_clash_are_refused(parts, match):
    with pytest.raises(MisuseError, match=match):
        Domain.combine(*parts)


def test_the_same_part_twice_is_refused():
    part = one("a", "x")
    with pytest.raises(MisuseError, match="twice"):
        Domain.combine(part, part)


def test_it_knows_which_part_handles_which_types():
    both = Domain.combine(one("a", "x", "y"), one("b", "z", "*"))
    assert both.handled_types({"a"}) == (frozenset("xy"), False)
    assert both.handled_types({"b"}) == (frozenset("z"), True)
    assert both.handled_types({"nobody"}) == (frozenset(), False)


# -- entity ids ----------------------------------------------------------------------------------


def test_the_extractor_names_the_entity():
    domain = Domain("d", entity_id=lambda payload: f"card:{payload['id']}")
    assert domain.entity_of("a", {"id": 7}) == "card:7"


def test_without_an_extractor_there_is_no_entity():
    assert Domain("d").entity_of("a", {"id": 7}) is None


def test_the_part_that_handles_a_type_extracts_for_it():
    both = Domain.combine(
        one("a", "x", entity_id=lambda _: "from a"),
        one("b", "y", entity_id=lambda _: "from b"),
        one("c", "z"),
    )
    assert both.entity_of("x", {}) == "from a"
    assert both.entity_of("y", {}) == "from b"
    assert both.entity_of("z", {}) is None
    assert both.entity_of("nobody's", {}) is None


def test_the_only_extractor_serves_types_that_nobody_handles():
    both = Domain.combine(one("a", "x", entity_id=lambda _: "from a"), one("b", "y"))
    assert both.entity_of("nobody's", {}) == "from a"


def test_an_extractor_that_fails_names_the_type_and_the_reason():
    domain = Domain("d", entity_id=lambda payload: str(payload["id"]))
    with pytest.raises(DataError, match=r"a\.b.*KeyError\('id'\)") as caught:
        domain.entity_of("a.b", {})
    assert isinstance(caught.value.__cause__, KeyError)


def test_each_part_says_for_its_types_whether_they_fold_in_any_order():
    loose, strict = Domain("loose", order="any"), Domain("strict")
    loose.applicator("a")(lambda state, event: None)
    strict.applicator("b")(lambda state, event: None)
    both = Domain.combine(loose, strict)
    assert [both.folds_in_any_order(each) for each in ("a", "b", "of nobody")] == [
        True,
        False,
        True,
    ]
    others = Domain("others", order="any")
    others.applicator("*")(lambda state, event: None)
    assert Domain.combine(both, others).folds_in_any_order("of nobody else")
    with pytest.raises(DataError, match="order"):
        Domain("d", order="some")  # type: ignore[arg-type]


def test_what_is_upcast_folds_in_any_order_only_if_everything_does():
    def parts(order):
        loose, other = Domain("loose", order="any"), Domain("other", order=order)
        loose.applicator("a")(lambda state, event: None)
        loose.upcaster("a", from_version=1)(lambda event: event.payload)
        other.applicator("b")(lambda state, event: None)
        return Domain.combine(loose, other)

    assert parts("any").folds_in_any_order("a")
    assert not parts("canonical").folds_in_any_order("a")
