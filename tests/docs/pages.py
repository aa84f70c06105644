"""The pages of the documentation, and what tests read out of them: examples, tables, links.

An example is a fenced block. The first word behind the fence is its language; the words after it, which no reader of
the rendered page sees, say what a test makes of it:

- `yaml`: a whole definition;
- `yaml steps`, `yaml keys`: a part, compiled inside a definition that has what is missing;
- `yaml refused CODE`: steps that are refused, with exactly this code;
- `sh`, `text`: command lines of `saga` in them exist, with their options;
- any other word: an example of something else, which its own test looks for.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
OTHERS = (
    *(ROOT / name for name in ("ARCHITECTURE.md", "CHANGELOG.md", "CONTRIBUTING.md")),
    *sorted((ROOT / "docs" / "decisions").glob("*.md")),
)

_BLOCK = re.compile(r"^( *)```([^\n`]*)\n(.*?)^\1```$", re.DOTALL | re.MULTILINE)
_ROW = re.compile(r"^\| `([^`|]+)` ", re.MULTILINE)
_HEADING = re.compile(r"^(#+) (.+)$", re.MULTILINE)
_CODE = re.compile(r"`([^`]+)`")
_LINK = re.compile(r"\]\(([^)\s]+)\)")


@dataclass(frozen=True)
class Example:
    """A fenced block; `words` is its language and what follows it."""

    page: str
    line: int
    words: tuple[str, ...]
    text: str

    def __str__(self) -> str:
        """Name the example, for the list of tests."""
        return f"{self.page}:{self.line}"


def text_of(name: str) -> str:
    """Return a page of `docs/` by its file name."""
    return (ROOT / "docs" / name).read_text(encoding="utf-8")


def examples(*words: str) -> list[Example]:
    """Return every example of all pages whose words begin with `words`."""
    found = (example for page in PAGES for example in _examples_of(page))
    return [example for example in found if example.words[: len(words)] == words]


def section(name: str, heading: str) -> str:
    """Return the part of a page of `docs/` below a heading, up to the next one of its level or above."""
    page = text_of(name)
    start = next(match for match in _HEADING.finditer(page) if match[2] == heading)
    following = (match.start() for match in _HEADING.finditer(page, start.end()) if len(match[1]) <= len(start[1]))
    return page[start.end() : next(following, len(page))]


def first_cells(text: str) -> list[str]:
    """Return what stands between backticks at the beginning of each row of the tables in `text`."""
    return _ROW.findall(text)


def table_rows(text: str) -> list[list[str]]:
    """Return the cells of each row of the tables in `text`, without the rows of headings and rules."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    rules = {at for at, line in enumerate(lines) if set(line) <= set("|-")}
    kept = [line for at, line in enumerate(lines) if at not in rules and at + 1 not in rules]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in kept]


def inline_code() -> dict[str, set[str]]:
    """Return what stands between single backticks outside of examples, by the name of the page."""
    found = {page.name: _BLOCK.sub("", page.read_text(encoding="utf-8")) for page in (*PAGES, *OTHERS)}
    return {name: {" ".join(code.split()) for code in _CODE.findall(text)} for name, text in found.items()}


def links(page: Path) -> list[str]:
    """Return the targets of the links of a page."""
    return _LINK.findall(_BLOCK.sub("", page.read_text(encoding="utf-8")))


def anchors(page: Path) -> set[str]:
    """Return the anchors that the headings of a page have on GitHub."""
    headings = (match[2] for match in _HEADING.finditer(_BLOCK.sub("", page.read_text(encoding="utf-8"))))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def _examples_of(page: Path) -> list[Example]:
    text = page.read_text(encoding="utf-8")
    name = str(page.relative_to(ROOT))
    return [
        Example(name, text.count("\n", 0, block.start()) + 1, tuple(block[2].split()) or ("text",), block[3])
        for block in _BLOCK.finditer(text)
    ]
