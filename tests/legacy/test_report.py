import pickle

from ramax.errors import LegacyFormatError, SpaceExistsError
from ramax.legacy import BadRow, BadRowsError, ImportConflictError


def test_bad_rows_are_told_by_the_first_and_held_all():
    bad = [BadRow("events", (4,), "is cut short"), BadRow("pstate_entities", (2, b"k"), "is odd")]
    error = BadRowsError(bad)
    assert str(error) == ("row 'events 4': is cut short, and 1 more; skip_bad leaves them out")
    assert str(BadRowsError(bad[1:])) == (
        "row 'pstate_entities 2 k': is odd; skip_bad leaves them out"
    )
    assert isinstance(error, LegacyFormatError)
    assert pickle.loads(pickle.dumps(error)).bad_rows == tuple(bad)


def test_conflicts_are_told_all():
    error = ImportConflictError({"a": "exists", "b": "is strange"})
    assert str(error) == (
        "space 'a' exists; space 'b' is strange; import under another name with rename={old: new}"
    )
    assert isinstance(error, SpaceExistsError)
    assert error.name == "a"
    assert pickle.loads(pickle.dumps(error)).conflicts == error.conflicts
