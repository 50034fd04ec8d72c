"""What `ramax` exports: all of it on purpose, and little of it."""

from types import ModuleType

import ramax


def test_all_is_sorted_and_names_nothing_twice() -> None:
    assert list(ramax.__all__) == sorted(set(ramax.__all__))


def test_all_names_what_exists() -> None:
    assert [name for name in ramax.__all__ if not hasattr(ramax, name)] == []


def test_all_leaves_no_public_name_out() -> None:
    public = {
        name
        for name, value in vars(ramax).items()
        if not name.startswith("_") and not isinstance(value, ModuleType)
    }
    assert public - set(ramax.__all__) == set()


def test_the_root_stays_small() -> None:
    assert len(ramax.__all__) <= 64
