"""One tree of errors: what it looks like, what each one carries, and that it travels whole."""

import copy
import pickle
import re
from collections.abc import Callable, Iterator

import pytest

from ramax import errors
from ramax.core.query import Query
from ramax.errors import RamaxError, Rejected


def descendants(cls: type[RamaxError]) -> Iterator[type[RamaxError]]:
    for child in cls.__subclasses__():
        if child.__module__ == errors.__name__:
            yield child
            yield from descendants(child)


CLASSES: list[type[RamaxError]] = [RamaxError, *descendants(RamaxError)]


class SoldOut(Rejected):
    """What an application makes of `Rejected`."""

    code = "shop.sold_out"

    def __init__(self, *, article: str, left: int) -> None:
        self.article, self.left = article, left
        super().__init__(f"{left} left of {article}")


EXAMPLES = [
    errors.ConcurrencyError("acme", 3, 5),
    errors.ConcurrencyError("acme", 3, 5, entity_id="card:1"),
    errors.ConcurrencyError("acme", 3, 5, checkpoint="mailer"),
    errors.ConcurrencyError("acme", 3, 5, query=Query(tags=["deck:1"])),
    errors.SubscriptionLostError("mailer", "space 'acme'", 3, 5),
    errors.SubscriptionNotFoundError("mailer", "was never opened"),
    errors.SubscriptionPausedError("mailer", "event 41 failed"),
    errors.IdempotencyConflictError("acme", "order-7"),
    errors.VersionConflictError("card:1", 3, 5),
    errors.MergeConflictError(["card:1"]),
    errors.SpaceNotFoundError("acme"),
    errors.KeyNotFoundError("acme", "card:1"),
    errors.EventNotFoundError(41),
    errors.BranchNotFoundError("draft"),
    errors.CollectionNotFoundError("words"),
    errors.PatchTestError("d", "/name"),
    errors.SpaceExistsError("acme"),
    errors.BranchExistsError("experiment"),
    errors.CollectionExistsError("words"),
    errors.NodeExistsError("outline", "a"),
    errors.NodeNotFoundError("outline", "a"),
    errors.TreeCycleError("outline", "a", "b"),
    errors.JsonPathError("$.a[", "unexpected end"),
    errors.JsonPatchError("remove", "no such member"),
    errors.SpaceNotEmptyError("acme", 31, 17),
    errors.SpaceInUseError("acme", ["experiment"]),
    errors.BranchInUseError("main", ["experiment"]),
    errors.DataError("key", 23, "must be text"),
    errors.UpcastError("acme", 41, "added", 1, KeyError("n")),
    errors.SchemaError("card", "level", "card:1", "x", "must be int"),
    errors.SearchDisabledError("acme", "is still being indexed"),
    errors.ClockSkewError(7, 400_000),
    errors.CommandRefusedError("app.book", "rejected", "taken"),
    errors.RecordNotFoundError("notes", "75" * 16),
    errors.ForkError("notes", b"o" * 16, 4),
    errors.GapError("notes", {}),
    errors.SpaceLoadTimeoutError("notes", 2.5),
    errors.SpaceAlreadyOpenError("notes"),
    errors.SpaceLoadError("notes", ["it is gone"]),
    errors.DurabilityError("notes", ["server"], 2.5),
    errors.LayerError("server", "it failed"),
    errors.LayerResetError("server", None),
    errors.SecretDecryptError("acme", "api", "it was changed"),
    errors.CircularRefError(["a", "b"]),
    errors.SpaceNameError("Acme!", "letters only"),
    errors.SchemaOutOfDateError("ramax_0001", "ramax_0002", "run the upgrade"),
    errors.ForeignSchemaError(["events", "spaces"], "no column id"),
    errors.FoldError("acme", 41, "added", KeyError("n")),
    errors.ProjectionError("acme", "search", 41, "added", KeyError("n")),
    errors.ProjectionBehindError("acme", "search", 41, 40),
    errors.DomainMismatchError("acme", ["crm", "cms"], "it lacks"),
    SoldOut(article="tea", left=2),
]
each_example = pytest.mark.parametrize("error", EXAMPLES, ids=lambda error: type(error).__name__)


def drawn() -> set[tuple[str, str]]:
    """Child and parent of every branch in the picture."""
    known = {cls.__name__ for cls in CLASSES}
    edges: set[tuple[str, str]] = set()
    path = ["RamaxError"]
    for line in (errors.__doc__ or "").splitlines():
        mark = line.find("── ")
        head, _, rest = line[mark + 3 :].partition("  ") if mark >= 0 else ("", "", line)
        siblings = [name for name in re.findall(r"\w+", head) if name in known]
        if siblings:
            depth = mark // 4 + 1
            path[depth:] = [siblings[0]]
            edges |= {(name, path[depth - 1]) for name in siblings}
        beside = (name for name in re.findall(r"\w+", rest) if name in known - {"RamaxError"})
        edges |= {(name, path[-1]) for name in beside}
    return edges


def test_the_picture_shows_the_tree_as_it_is() -> None:
    assert drawn() == {(cls.__name__, cls.__bases__[0].__name__) for cls in CLASSES[1:]}


def test_every_error_has_a_code_of_its_own_below_the_one_of_its_parent() -> None:
    codes = [cls.code for cls in CLASSES]
    assert len(set(codes)) == len(codes)
    for cls in CLASSES[1:]:
        parent = cls.__bases__[0]
        assert issubclass(parent, RamaxError)
        assert parent is RamaxError or cls.code.startswith(f"{parent.code}.")


def test_every_error_with_fields_has_an_example_here() -> None:
    with_fields = {cls for cls in CLASSES if "__init__" in vars(cls)}
    assert with_fields == {type(error) for error in EXAMPLES} - {SoldOut}


@each_example
def test_the_message_is_built_from_the_fields(error: RamaxError) -> None:
    assert vars(error)
    for value in vars(error).values():
        for part in value if isinstance(value, tuple) else [value]:
            assert str(part) in str(error)


@each_example
@pytest.mark.parametrize(
    "travel",
    [lambda error: pickle.loads(pickle.dumps(error)), copy.copy, copy.deepcopy],
    ids=["pickle", "copy", "deepcopy"],
)
def test_an_error_travels_with_its_fields(
    error: RamaxError, travel: Callable[[RamaxError], RamaxError]
) -> None:
    arrived = travel(error)
    assert arrived is not error
    assert type(arrived) is type(error)
    assert vars(arrived) == vars(error)
    assert (str(arrived), arrived.args) == (str(error), error.args)


def test_a_value_that_cannot_be_shown_does_not_hide_the_error() -> None:
    class Silent:
        def __repr__(self) -> str:
            raise ZeroDivisionError

    assert str(errors.DataError("key", Silent(), "must be text")) == "key <Silent>: must be text"
    assert len(str(errors.DataError("key", "x" * 10_000, "is long"))) < 120
