"""The pages of the documentation: their tables, their links and their blocks of code."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

__all__ = ["PAGES", "ROOT", "Block", "blocks", "links", "table"]

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])

_FENCE = re.compile(r"^```([^\n`]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"(?<!`)\[[^\]]*\]\(([^)\s]+)\)")


class Block(NamedTuple):
    """A fenced block: its language, the `key=value` words after it, its text, and where it begins."""

    language: str
    options: dict[str, str]
    text: str
    line: int


def blocks(page: Path) -> list[Block]:
    """The fenced blocks of a page in order."""
    source = page.read_text()
    found = []
    for match in _FENCE.finditer(source):
        language, *words = match.group(1).split() or [""]
        options = dict((word.split("=", 1) if "=" in word else (word, "")) for word in words)
        found.append(Block(language, options, match.group(2), source[: match.start()].count("\n") + 2))
    return found


def links(page: Path) -> list[str]:
    """The targets of a page's links, outside of code."""
    return _LINK.findall(_FENCE.sub("", page.read_text()))


def table(page: Path, first_heading: str) -> list[list[str]]:
    """The rows of the table whose first column has this heading, without its head; backquotes removed."""
    rows: list[list[str]] = []
    inside = False
    for line in page.read_text().splitlines():
        cells = [cell.strip().strip("`") for cell in line.strip().strip("|").split(" | ")]
        if line.startswith("|") and cells[0] == first_heading:
            inside = True
        elif inside and not line.startswith("|"):
            break
        elif inside and not line.startswith("|---"):
            rows.append(cells)
    return rows
