"""Writes docs/reference/operations.md from the table: ``python -m tests.entry.operations.reference``."""

from collections.abc import Iterator
from pathlib import Path

from ramax.entry.operations import OPERATIONS
from ramax.entry.operations.operation import Operation

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "operations.md"

INTRODUCTION = """\
# Operations

<!-- Made by `python -m tests.entry.operations.reference`; a test fails where it is not what the table says. -->

What can be asked for by name. One table feeds `db.call`, the commands `ramax kv|log|cells|json|vectors|search`, and this page.

```python
import ramax

async with ramax.connect() as db:
    await db.call({"type": "kv_put", "key": "greeting", "value": "hello"})
    print(await db.call({"type": "kv_get", "key": "greeting"}))
```

```text title="Output"
{'found': True, 'value': 'hello'}
```

`branch` names the branch, and is that of the database it is asked of without it: `db.at_branch("staging").call(…)`. `space` names the space, which is `default` without it; a space that does not exist reads as empty, and the first write makes it. Operations on `spaces` have
it as an argument of their own. An argument that is unknown, missing or of another kind is a `DataError`, and nothing is written. Every write to a space
takes two more: `idempotency_key`, with which a repeat gets the first answer and nothing is written twice, and `expected_sequence`, the last event that the
space must have. `Operation.output_schema` says in JSON Schema what is answered; tools of `ramax mcp` carry it. What a write must be, and what it raises: [Data without a domain](../howto/store-data-without-a-domain.md).
"""


def page() -> str:
    """Return the whole page."""
    groups: dict[str, list[Operation]] = {}
    for operation in OPERATIONS.values():
        groups.setdefault(operation.group, []).append(operation)
    return "\n".join(
        [INTRODUCTION, *(line for name in groups for line in _group(name, groups[name]))]
    )


def _group(name: str, operations: list[Operation]) -> Iterator[str]:
    yield f"## {name}\n\n| type | | arguments | answer |\n|---|---|---|---|"
    for operation in operations:
        arguments = ", ".join(
            f"`{p.name}` {p.kind}" if p.required else f"(`{p.name}` {p.kind})"
            for p in operation.parameters
        )
        write = " Writes." if operation.writes else ""
        answer = ", ".join(f"`{name}`" for name in operation.answer)
        yield f"| `{operation.name}` | {operation.about}{write} | {arguments} | {answer} |"
    yield ""


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
