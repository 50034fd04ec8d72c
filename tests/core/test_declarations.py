# mypy: disable-error-code="type-arg, name-defined, misc, index, func-returns-value"

import subprocess
import sys
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from typing import Annotated, Any, ClassVar, NotRequired, TypedDict

import msgspec
import pydantic
import pytest

from ramax import MisuseError, Ref, field
from ramax.core.declarations import read_class


def upper(text: str) -> bool:
    return text.isupper()


class Plain:
    kind: ClassVar[str] = "not a field"
    name: str
    tags: list[str] = field(default_factory=list)
    code: Annotated[str, field(validate=upper)] = "A"
    deck: Ref["deck"] | None = None


@dataclass
class Data:
    name: str
    tags: list[str] = dataclass_field(default_factory=list)
    code: Annotated[str, field(validate=upper)] = "A"
    deck: Ref["deck"] | None = None


class Typed(TypedDict):
    name: str
    tags: Annotated[list[str], field(default_factory=list)]
    code: Annotated[str, field(default="A", validate=upper)]
    deck: Annotated[Ref["deck"] | None, field(default=None)]


class Model(pydantic.BaseModel):
    name: str
    tags: list[str] = []
    code: Annotated[str, field(validate=upper)] = "A"
    deck: Ref["deck"] | None = None


class Struct(msgspec.Struct):
    name: str
    tags: list[str] = []
    code: Annotated[str, field(validate=upper)] = "A"
    deck: Ref["deck"] | None = None


@pytest.mark.parametrize("cls", [Plain, Data, Typed, Model, Struct])
def test_every_kind_of_class_declares_the_same(cls):
    fields = read_class(cls).fields
    assert [each.name for each in fields] == ["name", "tags", "code", "deck"]
    assert [each.required for each in fields] == [True, False, False, False]
    assert [each.takes_none for each in fields] == [False, False, False, True]
    defaults = [each.options.new_default() for each in fields[1:]]
    assert defaults == [[], "A", None]
    assert fields[1].options.new_default() is not fields[1].options.new_default()
    assert fields[2].options.validate is upper
    assert fields[3].check.problem(Ref("card:1")) is not None


def test_what_a_typed_dict_may_lack_is_not_required():
    class Some(TypedDict):
        a: int
        b: NotRequired[int]

    assert [each.required for each in read_class(Some).fields] == [True, False]


def test_models_check_their_own_rules_and_types():
    class Priced(pydantic.BaseModel):
        price: int = pydantic.Field(gt=3)
        site: pydantic.HttpUrl | None = None

    found = read_class(Priced)
    assert found.validator is not None
    assert found.validator({"price": 5}) is None
    assert found.validator({"price": 1}) == ("price", "Input should be greater than 3")
    assert found.validator({"price": 5, "site": "x"})[0] == "site"

    class Counted(msgspec.Struct):
        count: Annotated[int, msgspec.Meta(ge=1)]

    found = read_class(Counted)
    assert found.validator is not None
    assert found.validator({"count": 1}) is None
    assert found.validator({"count": 0}) == ("count", "Expected `int` >= 1")


def test_a_field_has_the_name_under_which_its_model_stores_it():
    class Aliased(pydantic.BaseModel):
        name: str = pydantic.Field(alias="fullName")

    class Renamed(msgspec.Struct, rename="camel"):
        full_name: str

    assert [each.name for each in read_class(Aliased).fields] == ["fullName"]
    assert [each.name for each in read_class(Renamed).fields] == ["fullName"]


def test_fields_are_inherited():
    class Base:
        a: int

    class Below(Base):
        b: str = ""

    assert {each.name for each in read_class(Below).fields} == {"a", "b"}


def test_a_class_inside_is_checked():
    @dataclass
    class Place:
        city: str
        code: int = 0

    class Person:
        home: Place
        others: list[Place]

    globals()["Place"] = Place
    home, others = read_class(Person).fields
    assert home.check.problem({"city": "Rome"}) is None
    assert home.check.problem({"code": 1}) == ("city", None, "is missing")
    assert others.check.problem([{"city": 1}]) == ("[0].city", 1, "must be str")


class Unclear:
    name: "Nowhere"  # noqa: F821


class Wrong:
    number: complex


@pytest.mark.parametrize(
    ("cls", "says"),
    [
        ({"name": str}, "declared by a class"),
        (type("Empty", (), {}), "has no annotations"),
        (Unclear, "Unclear cannot be read: name 'Nowhere' is not defined"),
        (Wrong, "field 'number' of Wrong"),
    ],
)
def test_a_class_that_declares_nothing_usable_is_refused(cls: Any, says):
    with pytest.raises(MisuseError) as caught:
        read_class(cls)
    assert says in str(caught.value)


def test_neither_model_library_is_imported_by_ramax():
    script = "import ramax, sys; assert 'pydantic' not in sys.modules"
    subprocess.run([sys.executable, "-c", script], check=True)
