"""`python -m tests.coverage_page` counts the lines of docs/coverage.md by document and status, and lists those that are open."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "coverage.md"
HEAD = "| asked | status | where | shown by |"
_CODE = re.compile(r"`([^`]+)`")
_PLACE = re.compile(
    r"(?:include|plugins|dags|tests|docs|bench|bin)/[^\s:]*(?::.+)?|[\w.-]+\.(?:md|txt|yaml|toml)(?::.+)?|Makefile(?::.+)?"
)


@dataclass(frozen=True, kw_only=True)
class Line:
    """One requirement: its document, and the cells of its row."""

    document: str
    asked: str
    status: str
    where: str
    shown_by: str

    @property
    def places(self) -> tuple[tuple[str, str], ...]:
        """What `where` names: each path with a symbol in it, or with an empty text."""
        named = (code for code in _CODE.findall(self.where) if _PLACE.fullmatch(code))
        return tuple((path, symbol) for path, _, symbol in (code.partition(":") for code in named))

    @property
    def tests(self) -> tuple[tuple[str, str], ...]:
        """The tests: each path with the name of the function, less the id of one of its cases."""
        named = (code.partition("::") for code in _CODE.findall(self.shown_by))
        return tuple((path, name.split("[")[0]) for path, _, name in named)


def lines() -> list[Line]:
    """Every requirement, in the order of the page. Raises `ValueError` for a row that has not four cells."""
    found: list[Line] = []
    for section in PAGE.read_text(encoding="utf-8").split("\n## ")[1:]:
        document, _, rest = section.partition("\n")
        if HEAD not in rest:
            continue
        for row in rest.split(HEAD)[1].splitlines()[2:]:
            if not row.startswith("|"):
                continue
            cells = [cell.strip() for cell in row.strip().strip("|").split("|")]
            if len(cells) != 4:
                raise ValueError(f"{document}: {len(cells)} cells where there must be 4: {row}")
            asked, status, where, shown_by = cells
            found.append(Line(document=document, asked=asked, status=status, where=where, shown_by=shown_by))
    return found


def main() -> None:
    """Print the counts, and the lines that are open."""
    every = lines()
    for document in (*dict.fromkeys(line.document for line in every), "all"):
        counts = Counter(line.status.split(":")[0] for line in every if document in (line.document, "all"))
        print(f"{document}: {', '.join(f'{count} {status}' for status, count in sorted(counts.items()))}")
    for line in every:
        if line.status == "open":
            print(f"open: {line.document}: {line.asked}: {line.where}")


if __name__ == "__main__":
    main()
