"""squawk, a parser and linter of PostgreSQL's SQL, as a process; it takes a few milliseconds."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from ..errors import DeclarationError

SECONDS = 60
_OURS = ("require-lock-timeout", "require-statement-timeout", "require-timeout-settings")  # set around every revision


@dataclass(frozen=True, kw_only=True)
class Violation:
    """One of squawk's answers; its `line` and `column` (a byte's) count from 0."""

    rule_name: str
    level: str
    line: int
    column: int
    message: str | None = None
    help: str | None = None

    @property
    def unread(self) -> bool:
        """Whether it says that the script is no SQL."""
        return self.rule_name == "syntax-error" or self.level == "Error"


def violations(sql: str) -> tuple[Violation, ...]:
    """What squawk says of a script. Raises `DeclarationError` when it is missing or does not answer."""
    arguments = [_squawk(), "--reporter", "json", "--exclude", ",".join(_OURS)]
    try:
        done = subprocess.run(
            arguments, input=sql, capture_output=True, text=True, timeout=SECONDS, check=False, cwd="/"
        )
        given = tuple(
            Violation(**{name: each.get(name) for name in Violation.__dataclass_fields__})
            for each in json.loads(done.stdout or "[]")
        )
    except (subprocess.TimeoutExpired, ValueError, AttributeError) as error:
        raise DeclarationError(f"squawk gave no answer that can be read: {error}") from error
    if done.returncode not in (0, 1) or (done.returncode == 1 and not given):
        raise DeclarationError(f"squawk ended with status {done.returncode}: {done.stderr.strip()[:500]}")
    return given


def unparsed(sql: str) -> tuple[int, int, str] | None:
    """Where a script is no SQL of PostgreSQL: the first place, line and byte in it counted from 0, and what squawk's parser says;
    None where it is SQL. Bodies of functions and of DO are not looked into. Raises as `violations`."""
    faults = ((each.line, each.column, each.message or each.rule_name) for each in violations(sql) if each.unread)
    return next(faults, None)


def _squawk() -> str:
    """The program: next to this Python, or on the path."""
    beside = Path(sys.executable).parent / "squawk"
    program = str(beside) if beside.is_file() else shutil.which("squawk")
    if program is None:
        raise DeclarationError("the SQL linter is not installed: pip install squawk-cli")
    return program
