"""Every Python block of the documents runs and prints what is said; every link leads somewhere."""

import ast
import asyncio
import inspect
import io
import re
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import pytest

from tests.docs.documents import (
    DOCUMENTS,
    ROOT,
    Block,
    anchors,
    blocks,
    links,
    name_of,
    table,
)

WITH_PYTHON = [d for d in DOCUMENTS if any(b.language == "python" for b in blocks(d))]


@pytest.mark.parametrize("document", WITH_PYTHON, ids=name_of)
def test_every_python_block_runs(
    document: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> None:
    monkeypatch.chdir(tmp_path)
    if "DATABASE_URL" in document.read_text():
        monkeypatch.setenv("DATABASE_URL", request.getfixturevalue("empty_postgres_url"))
    namespace: dict[str, Any] = {"__name__": document.stem.replace("-", "_")}
    with asyncio.Runner() as runner:
        for block in blocks(document):
            if block.language == "python" and not block.not_run:
                printed = run(block, document, namespace, runner)
                assert block.output is None or printed == block.output


def run(block: Block, document: Path, namespace: dict[str, Any], runner: asyncio.Runner) -> str:
    """Run a block as ``python -m asyncio`` would and return what it prints."""
    padded = "\n" * (block.line - 1) + block.body  # so that a traceback names the right line
    code = compile(padded, document, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    printed = io.StringIO()
    with redirect_stdout(printed):
        result = eval(code, namespace)
        if inspect.iscoroutine(result):
            runner.run(result)
    return printed.getvalue()


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_every_link_leads_somewhere(document: Path) -> None:
    dead = []
    for link in links(document):
        path, _, anchor = link.partition("#")
        target = (document.parent / path).resolve() if path else document
        if not target.exists() or (anchor and anchor not in anchors(target)):
            dead.append(link)
    assert not dead


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_no_block_is_overlooked(document: Path) -> None:
    found = list(blocks(document))
    assert count(r"^\s*```", document) == 2 * len(found)
    assert count(r"^\s*<!-- not run", document) == sum(block.not_run for block in found)
    assert count(r'^\s*```.*"Output"', document) == sum(b.output is not None for b in found)
    assert not [b.line for b in found if b.language in {"py", "python3", "pycon", "pytb"}]


def count(pattern: str, document: Path) -> int:
    return len(re.findall(pattern, document.read_text(), re.MULTILINE))


def test_the_reader_finds_what_there_is(tmp_path: Path) -> None:
    document = tmp_path / "d.md"
    document.write_text(
        '# One `two` three!\n\n```python\nprint(1)\n```\n\n```text title="Output"\n1\n```\n\n'
        "<!-- not run: why -->\n```python\n[no](no.md)\n```\n\n[a](b.md#c) ![i](i.png) "
        "[out](https://x.example)\n\n## Table\n\n| a | b |\n|---|---|\n| 1 | 2 |\n"
    )
    python = [b for b in blocks(document) if b.language == "python"]
    assert [(b.line, b.not_run, b.output) for b in python] == [(4, False, "1\n"), (13, True, None)]
    assert links(document) == ["b.md#c"]
    assert anchors(document) == {"one-two-three", "table"}
    assert table(document, "## Table") == [["1", "2"]]


def test_a_block_that_prints_something_else_is_noticed(tmp_path: Path) -> None:
    document = tmp_path / "d.md"
    document.write_text("```python\nimport asyncio\nawait asyncio.sleep(0)\nprint(2)\n```\n")
    with asyncio.Runner() as runner:
        assert run(next(blocks(document)), document, {}, runner) == "2\n"
    assert ROOT.joinpath("README.md") in DOCUMENTS
