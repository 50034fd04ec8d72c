import pytest

from ramax import MisuseError, field


def test_a_default_is_made_anew_where_it_can_change():
    made = field(default_factory=list)
    assert made.new_default() == []
    assert made.new_default() is not made.new_default()
    assert field(default=3).new_default() == 3
    assert field(default=None).has_default
    assert not field().has_default


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"default": 1, "default_factory": int}, "not both"),
        ({"default": []}, "default_factory=list"),
        ({"default_factory": 3}, "must be callable"),
        ({"validate": "yes"}, "validate of a field must be a plain function"),
        ({"migrate": 1}, "migrate of a field must be a plain function"),
        ({"migrate": lambda: 1}, "takes (old) or (old, entity)"),
        ({"migrate": lambda a, b, c: 1}, "takes (old) or (old, entity)"),
        ({"replaces": ""}, "names the old field"),
    ],
)
def test_options_that_make_no_sense_are_refused(options, says):
    with pytest.raises(MisuseError) as caught:
        field(**options)
    assert says in str(caught.value)


def test_no_coroutine_migrates():
    async def later(old):
        return old

    with pytest.raises(MisuseError):
        field(migrate=later)


@pytest.mark.parametrize(
    "migrate",
    [
        lambda old: (old, None),
        lambda old, entity: (old, entity and None),
        lambda old, times=2: (old, None if times == 2 else times),
        lambda *given: (given[0], None),
    ],
)
def test_a_migration_takes_the_old_value_and_the_entity_if_it_wants_it(migrate):
    assert field(migrate=migrate).migrate("1", {}) in (("1", None), ("1", {}))
    assert field(migrate=int).migrate("1", {"a": 2}) == 1
    assert field(migrate=lambda old, entity: entity["a"]).migrate("1", {"a": 2}) == 2
