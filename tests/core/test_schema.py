# mypy: disable-error-code="type-arg, name-defined, misc, index, func-returns-value"

import pytest

from ramax import Domain, MisuseError, Ref, Schema, SchemaError, field
from ramax.core.entity import Entity
from ramax.core.schema import covers


class Card:
    front: str


class Deck:
    cards: list[Ref["card"]] = field(default_factory=list, index=True)


def test_the_type_is_what_stands_before_the_first_colon():
    schema = Schema({"card": Card})
    assert schema.entity_of("card:1:x") is not None
    for key in ("card", "cards:1", "Card:1", ":card", "", ":"):
        assert schema.entity_of(key) is None
        assert schema.read(key, 1) == 1
    with pytest.raises(SchemaError):
        schema.read("card:1", 1)


def test_an_entity_is_declared_once():
    schema = Schema({"card": Card})
    with pytest.raises(MisuseError, match="declared twice"):
        schema.add(Entity("card", Card, "off"))


def test_a_domain_takes_a_schema_a_dict_or_declarations():
    given = Schema({"card": Card}, mode="warn")
    one, two, three = Domain("a", schema=given), Domain("b", schema={"card": Card}), Domain("c")
    assert three.entity("card", mode="off")(Card) is Card
    assert [e.mode for d in (one, two, three) for e in d.schema] == ["warn", "strict", "off"]
    one.entity("deck")(Deck)
    assert [e.name for e in given] == ["card"]  # what is given stays as it is
    with pytest.raises(MisuseError, match="schema is a Schema or a dict"):
        Domain("d", schema=[Card])  # type: ignore[arg-type]
    assert not Domain("e").schema.declares


def test_domains_join_their_schemas():
    both = Domain.combine(Domain("a", schema={"card": Card}), Domain("b", schema={"deck": Deck}))
    assert sorted(e.name for e in both.schema) == ["card", "deck"]
    with pytest.raises(MisuseError, match="declared twice"):
        Domain.combine(Domain("a", schema={"card": Card}), Domain("b", schema={"card": Deck}))


def test_nothing_is_declared_of_a_domain_in_use():
    domain = Domain("a")
    domain.freeze()
    with pytest.raises(MisuseError, match="in use"):
        domain.entity("card")(Card)


def test_what_has_an_index_can_be_compared():
    assert Schema({"card": Card}).index is None
    index = Schema({"card": Card, "deck": Deck, "xdeck": Deck}).index
    assert index == "deck:cards,xdeck:cards"
    assert [
        k for k in ("deck:1", "xdeck:1", "card:1", "eck:1", "deck", "") if covers(index, k)
    ] == [
        "deck:1",
        "xdeck:1",
    ]
