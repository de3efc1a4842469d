"""The tables of docs/types.md, read from the page itself."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

PAGE = (Path(__file__).parent.parent.parent / "docs" / "types.md").read_text(encoding="utf-8")
_VALUE = re.compile(r"(?:`(?P<given>[^`]*)`|(?P<empty>\*empty\*))(?: → `(?P<printed>[^`]*)`)?")


@dataclass(frozen=True)
class Line:
    """A line of a table: the type of a column or attribute, the cells between it and the values, and the values, each as it is
    given and, where that is another, as it is printed in the end."""

    type: str
    cells: tuple[str, ...]
    values: tuple[tuple[str, str | None], ...]

    @property
    def declared(self) -> str:
        """The logical type that is to be declared."""
        return self.cells[-1]


def lines(heading: str, values: int = -1) -> list[Line]:
    """The lines of the first table below a heading; `values` is the place of the cell with the values."""
    (below,) = re.findall(rf"^#+ {re.escape(heading)}\n(.*?)(?=^#|\Z)", PAGE, re.DOTALL | re.MULTILINE)
    found = re.search(r"^\|.*?(?=\n\n|\Z)", below, re.DOTALL | re.MULTILINE)
    assert found is not None, heading
    made = []
    for line in found[0].splitlines()[2:]:
        cells = [cell.strip() for cell in line.strip("|").split(" | ")]
        given = tuple((m["given"] or "", m["printed"]) for m in _VALUE.finditer(cells[values]))
        others = [cell.strip("`") for n, cell in enumerate(cells) if n != values % len(cells)]
        made.append(Line(others[0], tuple(others[1:]), given))
    return made


def made_types() -> str:
    """The SQL of the page that makes types."""
    (script,) = re.findall(r"```sql\n(.*?)```", PAGE, re.DOTALL)
    return str(script)
