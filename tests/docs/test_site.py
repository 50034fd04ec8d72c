"""The site shows every page, and every decision has its form."""

import re

import pytest

from tests.docs.documents import DOCS, ROOT, name_of, prose

DECISIONS = sorted((DOCS / "adr").glob("0*.md"))


def test_every_page_is_in_the_navigation_once() -> None:
    listed = re.findall(
        r"^ +- (\S+\.md)$|^  - (\S+\.md)$", (ROOT / "mkdocs.yml").read_text(), re.MULTILINE
    )
    pages = [page.relative_to(DOCS).as_posix() for page in DOCS.rglob("*.md")]
    assert sorted(one or other for one, other in listed) == sorted(pages)


def test_every_decision_is_in_the_index_with_its_title() -> None:
    titles = [decision.read_text().partition("\n")[0].removeprefix("# ") for decision in DECISIONS]
    lines = [
        f"- [{title[:4]}]({decision.name}) {title[5:]}"
        for title, decision in zip(titles, DECISIONS, strict=True)
    ]
    index = (DOCS / "adr/index.md").read_text()
    assert re.findall(r"^- .+$", index, re.MULTILINE) == lines


@pytest.mark.parametrize("decision", DECISIONS, ids=name_of)
def test_a_decision_has_a_number_a_status_and_its_four_parts(decision) -> None:
    text = prose(decision)
    assert text.startswith(f"# {decision.name[:4]} ")
    assert re.search(r"^Status: (accepted|replaced by)", text, re.MULTILINE)
    parts = re.findall(r"^## (.+)$", text, re.MULTILINE)
    assert parts == ["Context", "Decision", "Consequences", "Evidence"]
