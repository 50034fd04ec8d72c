"""Bars as SVG, in our own hand: a group per case, a bar per entrant, longest is fastest."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

COLOURS = {"ramax": "#2f6fb5", "limit": "#9aa5b1", "rival": "#d08c3c"}
WIDTH, LABEL, BAR, GAP, TITLE = 760, 220, 16, 4, 22


@dataclass(frozen=True, slots=True)
class Bar:
    """One entrant's figure; the kind decides its colour."""

    label: str
    value: float
    text: str
    kind: str


@dataclass(frozen=True, slots=True)
class Group:
    """A case: the bars share one scale."""

    title: str
    note: str
    bars: Sequence[Bar]


def svg(groups: Sequence[Group], title: str) -> str:
    """Draw the groups below each other; colours work on light and dark pages."""
    parts: list[str] = []
    y = 8
    for group in groups:
        y += TITLE
        parts.append(_text(8, y, group.title, "t"))
        y += 16
        parts.append(_text(8, y, group.note, "n"))
        y += 8
        longest = max(bar.value for bar in group.bars)
        for bar in group.bars:
            length = max(1.0, bar.value / longest * (WIDTH - LABEL - 150))
            parts.append(_text(LABEL - 6, y + BAR - 4, bar.label, "l"))
            parts.append(
                f'<rect x="{LABEL}" y="{y}" width="{length:.1f}" height="{BAR}" rx="2"'
                f' fill="{COLOURS[bar.kind]}"/>'
            )
            parts.append(_text(round(LABEL + length + 6), y + BAR - 4, bar.text, "v"))
            y += BAR + GAP
    style = (
        "text{font:12px system-ui,sans-serif;fill:#667}.t{font-weight:600;font-size:13px}"
        ".n{font-size:11px}.l{text-anchor:end}"
        "@media(prefers-color-scheme:dark){text{fill:#bbc}}"
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {y + 8}" role="img">'
        f"<title>{escape(title)}</title><style>{style}</style>\n" + "\n".join(parts) + "\n</svg>\n"
    )


def _text(x: int, y: int, text: str, style: str) -> str:
    return f'<text x="{x}" y="{y}" class="{style}">{escape(text)}</text>'
