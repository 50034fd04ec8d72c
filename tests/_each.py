"""One test for many values, on one database: making a database for each would take minutes."""

import functools
import inspect
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

Body = Callable[..., Awaitable[None]]


def each(name: str, values: Iterable[Any]) -> Callable[[Body], Body]:
    """Run the decorated test for each value, which it takes as ``name``, one after another."""
    given = list(values)

    def decorate(body: Body) -> Body:
        @functools.wraps(body)
        async def test(**fixtures: Any) -> None:
            for value in given:
                try:
                    await body(**fixtures, **{name: value})
                except BaseException as error:
                    error.add_note(f"with {name} = {value!r:.200}")
                    raise

        wanted = inspect.signature(body).parameters.values()
        parameters = [each for each in wanted if each.name != name]
        test.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        return test

    return decorate
