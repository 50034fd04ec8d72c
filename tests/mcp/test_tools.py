"""What the tools say of themselves."""

import pytest

from ramax.entry.operations import OPERATIONS
from ramax.mcp.tools import tools


@pytest.mark.parametrize("tool", tools(read_only=False), ids=lambda tool: tool.name)
def test_a_tool_takes_and_gives_objects(tool):
    assert tool.description
    assert tool.input_schema["type"] == tool.output_schema["type"] == "object"
    assert tool.input_schema["additionalProperties"] is False
    assert set(tool.input_schema.get("required", [])) <= set(tool.input_schema["properties"])


def test_the_table_is_not_changed_by_what_the_tools_say():
    tools(read_only=False)
    assert "`default`" in OPERATIONS["kv_put"].schema["properties"]["space"]["description"]
