"""Reads the documents: their Python blocks, what those print, their headings and links."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(DOCS.rglob("*.md"))]

_FENCE = re.compile(
    r"^(?:<!-- not run: (?P<reason>\S.*?) -->\n+)?"
    r"^```(?P<language>\w*)(?P<options>[^\n]*)\n(?P<body>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
_LINK = re.compile(r"(?<!!)\[(?:[^\[\]]|\[[^\]]*\])*\]\((?P<target>[^)\s]+)\)")
_HEADING = re.compile(r"^#+ +(?P<title>.+?) *$", re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """A fenced block: what it holds, and in which line of the document its first line is."""

    language: str
    body: str
    line: int
    not_run: bool
    output: str | None


def blocks(document: Path) -> Iterator[Block]:
    """Yield the fenced blocks of a document, each with the output that it is said to have."""
    text = document.read_text(encoding="utf-8")
    found = list(_FENCE.finditer(text))
    for number, each in enumerate(found, start=1):
        output = None
        if found[number:] and 'title="Output"' in found[number]["options"]:
            between = text[each.end() : found[number].start()].strip()
            assert not between, f"{document.name}: an output belongs right below its block"
            output = found[number]["body"]
        line = text.count("\n", 0, each.start("body")) + 1
        yield Block(each["language"], each["body"], line, each["reason"] is not None, output)


def prose(document: Path) -> str:
    """Return a document without its fenced blocks."""
    return _FENCE.sub("", document.read_text(encoding="utf-8"))


def links(document: Path) -> list[str]:
    """Return the targets of all links that do not leave the project."""
    targets = (found["target"] for found in _LINK.finditer(prose(document)))
    return [target for target in targets if "://" not in target]


def anchors(document: Path) -> set[str]:
    """Return the names that headings can be linked by."""
    return {_slug(found["title"]) for found in _HEADING.finditer(prose(document))}


def table(document: Path, heading: str) -> list[list[str]]:
    """Return the cells of the first table below a heading, without its head."""
    section = prose(document).partition(f"{heading}\n")[2]
    rows = re.search(r"^\|.*\n\|[-| ]+\|\n((?:\|.*\n)+)", section, re.MULTILINE)
    assert rows, f"{document.name}: no table below {heading!r}"
    return [[cell.strip() for cell in row.split("|")[1:-1]] for row in rows[1].splitlines()]


def name_of(document: Path) -> str:
    """Return the path of a document as test reports show it."""
    return document.relative_to(ROOT).as_posix()


def _slug(title: str) -> str:
    plain = re.sub(r"[^\w\s-]", "", title.replace("`", "").lower())
    return re.sub(r"[\s-]+", "-", plain).strip("-")
