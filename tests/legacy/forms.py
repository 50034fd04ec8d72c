"""A file of every form that the tables of the Elixir Ramax ever had, and of what went wrong."""

from typing import Any

import pytest

from tests.migrations.elixir import (
    ALTERED_BY_HAND,
    BEFORE_SPACES,
    PLAIN_EVENTS,
    PLAIN_PSTATE,
    REGISTRY,
    SPACED_EVENTS,
    SPACED_PSTATE,
    TEXT_EVENTS,
    TEXT_PSTATE,
    WITH_SPACES,
    event,
    pstate,
)


def spaced(event_id: int, space_id: int, sequence: int, **others: object) -> dict[str, object]:
    return event(event_id, space_id=space_id, space_sequence=sequence, **others)


def space(space_id: int, name: str, metadata: str | None = None) -> dict[str, object]:
    return {
        "space_id": space_id,
        "space_name": name,
        "created_at": 1_700_000_000 + space_id,
        "metadata": metadata,
    }


def every_form() -> list[Any]:
    def plain(file):
        file.insert("events", event(4), event(6))
        file.insert("pstate_entities", pstate("b"), pstate("a"))

    def two_spaces(file):
        file.insert("spaces", space(2, "Any Name!"), space(5, "b", '{"seats": 9007199254740993}'))
        file.insert("events", spaced(3, 2, 1), spaced(5, 5, 1), spaced(6, 2, 2), spaced(9, 5, 2))
        file.insert("space_sequences", {"space_id": 2, "last_sequence": 7})

    def with_pstate(file):
        two_spaces(file)
        file.insert("pstate_entities", *(pstate("k", space_id=s) for s in (2, 5, 7)))

    def with_checkpoints(file):
        with_pstate(file)
        file.run(
            "INSERT INTO projection_checkpoints VALUES (2, 3, 1, 1700000009), (5, 0, 50, NULL)"
        )

    def registry_only(file):
        file.insert("spaces", space(1, "a"), space(2, "b"))
        plain(file)

    def shared_pstate(file):
        two_spaces(file)
        file.insert("pstate_entities", pstate("k"))

    def one_space_shared_pstate(file):
        file.insert("spaces", space(3, "a"))
        file.insert("events", spaced(1, 3, 1))
        file.insert("pstate_entities", pstate("k"))

    def unregistered(file):
        file.insert("spaces", space(1, "recovered-4"))
        file.insert("events", spaced(1, 1, 1), spaced(2, 4, 1), spaced(3, 6, 1))

    def broken(file):
        file.insert("spaces", space(1, "a"), space(2, "b"))
        file.insert("events", spaced(1, 1, 1), spaced(2, 2, 1), spaced(3, 1, 1), spaced(4, 2, 3))
        file.insert("pstate_entities", pstate("k", space_id=1))
        file.run("INSERT INTO projection_checkpoints VALUES (1, 1, 1, 5), (2, 4, 2, 5)")

    def altered(file):
        file.insert("events", *(event(number) for number in (2, 5, 6)))
        file.insert("pstate_entities", pstate("k"), pstate("l"))
        file.run(ALTERED_BY_HAND)

    def altered_and_used(file):
        altered(file)
        file.run("INSERT INTO spaces VALUES (2, 'later', 1700000000, NULL)")
        file.insert("events", spaced(11, 1, 1), spaced(12, 2, 1), spaced(13, 1, 2))
        file.run("INSERT INTO projection_checkpoints VALUES (1, 11, 1, 5)")

    def altered_without_registry(file):
        altered(file)
        file.run("DELETE FROM spaces")

    def altered_with_nulls(file):
        altered(file)
        file.run(
            "UPDATE events SET space_id = NULL WHERE event_id = 5",
            "UPDATE pstate_entities SET space_id = NULL WHERE key = 'k'",
        )

    def json_values(file):
        plain(file)
        file.insert("pstate_entities", pstate("j", value='{"ref": {"key": "card:c1"}}'))

    def odd_metadata(file):
        file.insert("spaces", space(1, "a", '["x", 1]'), space(2, "b", "null"), space(3, "c", ""))

    def only_spaced_pstate(file):
        file.insert("pstate_entities", pstate("k", space_id=2), pstate("k", space_id=3))

    def nothing(_file):
        pass

    return [
        pytest.param(schema, fill, id=fill.__name__)
        for schema, fill in [
            ([BEFORE_SPACES], plain),
            ([BEFORE_SPACES], nothing),
            ([TEXT_EVENTS, TEXT_PSTATE], json_values),
            ([PLAIN_EVENTS, REGISTRY, PLAIN_PSTATE], registry_only),
            ([SPACED_EVENTS, REGISTRY, PLAIN_PSTATE], shared_pstate),
            ([SPACED_EVENTS, REGISTRY, PLAIN_PSTATE], one_space_shared_pstate),
            ([SPACED_EVENTS, REGISTRY, SPACED_PSTATE], with_pstate),
            ([WITH_SPACES], with_checkpoints),
            ([WITH_SPACES], unregistered),
            ([WITH_SPACES], broken),
            ([WITH_SPACES], odd_metadata),
            ([BEFORE_SPACES], altered),
            ([BEFORE_SPACES], altered_and_used),
            ([BEFORE_SPACES], altered_without_registry),
            ([BEFORE_SPACES], altered_with_nulls),
            ([SPACED_PSTATE], only_spaced_pstate),
        ]
    ]
