"""What `make check` says: Problem."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
TO_FILL = "fill_in"
"""What stands in `rows.sql` for a value that its author has to say: no column, so that `make check` names the line."""


@dataclass(frozen=True)
class Problem:
    """What is wrong, in words, and where: a file, and a line in it where that is known."""

    file: Path
    line: int | None
    message: str

    def __str__(self) -> str:
        """As compilers say it: `file:line: message`."""
        file = self.file.relative_to(ROOT) if self.file.is_relative_to(ROOT) else self.file
        return f"{file}{f':{self.line}' if self.line else ''}: {self.message}"


def line_of(file: Path, text: str) -> int | None:
    """The first line of the file that has the text in it."""
    lines = enumerate(file.read_text(encoding="utf-8").splitlines(), 1)
    return next((number for number, line in lines if text in line), None)


def unreadable(file: Path) -> Problem | None:
    """The problem of a file that is not UTF-8."""
    content = file.read_bytes()
    try:
        content.decode()
    except UnicodeDecodeError as error:
        return Problem(file, content.count(b"\n", 0, error.start) + 1, "is not UTF-8; save it as that")
    return None
