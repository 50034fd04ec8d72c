import pytest

from ramax import Domain, MisuseError


async def react(event, reaction): ...


def test_a_reaction_is_named_after_its_domain_and_function():
    domain = Domain("crm")
    assert domain.reaction("added", "changed")(react) is react
    domain.reaction("added", name="other")(react)
    assert [(r.name, set(r.event_types)) for r in domain.reactions] == [
        ("crm.react", {"added", "changed"}),
        ("other", {"added"}),
    ]
    assert len(domain.reactions) == 2


def test_domains_bring_their_reactions_along():
    one, two = Domain("one"), Domain("two")
    one.reaction("a")(react)
    two.reaction("a")(react)
    assert [r.name for r in Domain.combine(one, two).reactions] == ["one.react", "two.react"]


def test_what_cannot_be_a_reaction_is_refused():
    domain = Domain("crm")
    with pytest.raises(MisuseError, match="event types"):
        domain.reaction()(react)
    with pytest.raises(MisuseError, match="event types"):
        domain.reaction(5)(react)  # type: ignore[arg-type]
    with pytest.raises(MisuseError, match="async function"):
        domain.reaction("a")(lambda event, reaction: None)
    domain.reaction("a")(react)
    with pytest.raises(MisuseError, match="two reactions are called 'crm.react'"):
        domain.reaction("b")(react)
    domain.freeze()
    with pytest.raises(MisuseError, match="in use"):
        domain.reaction("c", name="c")(react)
