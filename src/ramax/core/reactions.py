"""What a domain does about events: handlers that run outside the fold, and never in a rebuild."""

import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from ramax.errors import MisuseError

Handler = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class ReactionRule:
    """One reaction: the name of its subscription, the types it is about, what it does."""

    name: str
    event_types: frozenset[str]
    handler: Handler


class Reactions:
    """The reactions of one domain, each under a name of its own."""

    def __init__(self) -> None:
        self._rules: dict[str, ReactionRule] = {}

    def __iter__(self) -> Iterator[ReactionRule]:
        return iter(self._rules.values())

    def __len__(self) -> int:
        return len(self._rules)

    def add(self, rule: ReactionRule) -> None:
        """Add one.

        Raises:
            MisuseError: Its name is taken, it is about nothing, or it is no async function.
        """
        if not rule.event_types or not all(isinstance(t, str) and t for t in rule.event_types):
            raise MisuseError("a reaction takes event types: @domain.reaction('a.b')")
        if not inspect.iscoroutinefunction(rule.handler):
            raise MisuseError(f"the reaction {rule.name!r} must be an async function")
        if rule.name in self._rules:
            raise MisuseError(f"two reactions are called {rule.name!r}; give one another name=")
        self._rules[rule.name] = rule
