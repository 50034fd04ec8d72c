"""Small files as the Elixir Ramax with spaces left them, with payloads that a domain can fold."""

from pathlib import Path
from typing import Any

from ramax import Domain
from tests.core.terms import a_map, binary, integer, term
from tests.legacy import forms
from tests.legacy.forms import space
from tests.migrations.elixir import WITH_SPACES, ElixirFile, pstate

counts = Domain("counts", entity_id=lambda _payload: "count")


@counts.applicator("thing.done")
def counted(state, event):
    state["count"] = {"n": state.get("count", {"n": 0})["n"] + event.payload["n"]}


def a_count(n: int) -> bytes:
    return term(a_map((binary("n"), integer(n))))


def spaced(event_id: int, space_id: int, sequence: int, **others: Any) -> dict[str, object]:
    return forms.spaced(event_id, space_id, sequence, **({"payload": a_count(1)} | others))


def two_spaces(path: Path) -> ElixirFile:
    """A space of a name that is forbidden today and one that is not, with five events each in turns.

    The space 4 and its event 20 were deleted. Each event is caused by the one before, of the other
    space. The pstate of space 3 is not what `counts` folds.
    """
    file = ElixirFile(path, WITH_SPACES)
    file.insert("spaces", space(2, "Acme Inc!", '{"seats": 25}'), space(3, "b"), space(4, "gone"))
    for event_id in range(1, 11):
        here = 2 + event_id % 2
        file.insert("events", spaced(event_id, here, (event_id + 1) // 2))
    file.insert("events", spaced(20, 4, 1))
    file.run("DELETE FROM events WHERE space_id = 4", "DELETE FROM spaces WHERE space_id = 4")
    file.insert("pstate_entities", *(pstate("k", space_id=s) for s in (2, 3, 4)))
    file.insert("pstate_entities", pstate("count", space_id=2, value=a_count(5)))
    file.insert("pstate_entities", pstate("count", space_id=3, value=a_count(4)))
    file.run("INSERT INTO projection_checkpoints VALUES (2, 4, 2, 1700000009), (3, 99, 99, NULL)")
    return file
