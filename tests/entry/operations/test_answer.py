"""What operations say they answer, against what they do answer."""

import json

from ramax.entry.operations import OPERATIONS
from ramax.entry.operations.answer import INT, TEXT, listed, or_null, record


def test_a_record_has_these_members_and_no_others():
    schema = record({"a": TEXT, "b": or_null(INT)})
    assert schema["required"] == ["a", "b"]
    assert schema["additionalProperties"] is False
    assert schema["properties"]["b"] == {"anyOf": [INT, {"type": "null"}]}
    assert listed(INT) == {"type": "array", "items": INT}


def test_every_operation_says_what_it_answers():
    for operation in OPERATIONS.values():
        schema = operation.output_schema
        assert json.loads(json.dumps(schema)) == schema
        assert schema["properties"], operation.name


def fits(value: object, schema: dict[str, object]) -> bool:
    """Whether a value is what a schema says, as far as these schemas go."""
    if "anyOf" in schema:
        return any(fits(value, each) for each in schema["anyOf"])  # type: ignore[attr-defined]
    kind = schema.get("type")
    if kind == "object" and "properties" in schema:
        members: dict[str, dict[str, object]] = schema["properties"]  # type: ignore[assignment]
        return (
            isinstance(value, dict)
            and value.keys() == members.keys()
            and all(fits(value[name], each) for name, each in members.items())
        )
    if kind == "array":
        return isinstance(value, list) and all(fits(v, schema["items"]) for v in value)  # type: ignore[arg-type]
    python = {"string": str, "integer": int, "boolean": bool, "object": dict, "null": type(None)}
    return kind is None or kind == "number" or isinstance(value, python[str(kind)])


async def test_branches_answer_what_they_say(db):
    async def ask(operation, **given):
        answer = await db.call({"type": operation, **given})
        assert fits(answer, OPERATIONS[operation].output_schema), (operation, answer)

    await ask("kv_put", space="notes", key="a", value=1)
    await ask("branch_fork", name="trial")
    await ask("kv_put", space="notes", key="a", value=2, branch="trial")
    await ask("branch_list")
    await ask("branch_diff", left="main", right="trial", values=True)
    await ask("branch_preview_merge", source="trial")
    await ask("branch_merge", source="trial")
    await ask("branch_rebase", branch="trial")
    await ask("branch_rename", name="trial", new_name="tried")
    await ask("branch_create", name="empty")
    await ask("branch_delete", name="empty")
    await ask("spaces_clone", source="notes", space="copy")
    await ask("spaces_promote", source="notes", target="copy", data={"kv": ["a"]})
