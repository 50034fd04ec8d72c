"""The options that say which events a command is about."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

import click

from ramax.core.query import Query
from ramax.values import Event

Decorated = TypeVar("Decorated", bound=Callable[..., Any])


class Moment(click.ParamType):  # type: ignore[type-arg]
    """A time in ISO 8601, UTC unless it says otherwise."""

    name = "time"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime:
        """Read it; what is no time is wrong usage."""
        try:
            found = datetime.fromisoformat(value)
        except (TypeError, ValueError):
            self.fail(f"{value!r} is not a time like 2026-11-27T09:30", param, ctx)
        return found if found.utcoffset() is not None else datetime.fromisoformat(f"{value}+00:00")


@dataclass(frozen=True, slots=True)
class Criteria:
    """Which events: of a query, and between two times, the first excluded."""

    query: Query
    since: datetime | None = None
    until: datetime | None = None

    def fit(self, event: Event) -> bool:
        """Whether an event is one of them."""
        return (
            self.query.matches(event.event_type, event.entity_id, event.tags)
            and (self.since is None or event.timestamp > self.since)
            and (self.until is None or event.timestamp <= self.until)
        )


EVERY_EVENT = Criteria(Query())


_LISTS = {
    "--type": ("types", "TYPE", "Of this type; repeatable."),
    "--entity": ("entities", "ID", "Of this entity; repeatable."),
    "--tag": ("tags", "TAG", "With this tag; of several, with all."),
}
_TIMES = {
    "--since": "Later than this time; UTC if it names no zone.",
    "--until": "Up to this time, it included.",
}


def criteria_options(command: Decorated) -> Decorated:
    """Make the options of `criteria`."""
    for option, purpose in reversed(_TIMES.items()):
        command = click.option(option, type=Moment(), metavar="TIME", help=purpose)(command)
    for option, (name, metavar, purpose) in reversed(_LISTS.items()):
        made = click.option(option, name, multiple=True, metavar=metavar, help=purpose)
        command = made(command)
    return command


def criteria(arguments: dict[str, Any]) -> Criteria:
    """Return what the options say.

    Raises:
        DataError: A type, an entity id or a tag cannot be one.
    """
    query = Query(arguments["types"], arguments["entities"], arguments["tags"])
    return Criteria(query, arguments["since"], arguments["until"])
