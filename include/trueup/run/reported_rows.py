"""What `report.json` says of single rows: of those that were left alone, and of those that findings are about."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class LeftAlone:
    """A row that was left alone. `kind`: drift (somebody changed it before the plan was made) or conflict (after it)."""

    phase: str
    table: str
    key: str
    kind: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class FindingExample:
    """A row that a finding is about, by its key."""

    key: str | None
    message: str | None


@dataclass(frozen=True, kw_only=True)
class FindingGroup:
    """The findings of one code in one phase: how many, and a few of them."""

    severity: str
    code: str
    phase: str
    table: str
    count: int
    examples: tuple[FindingExample, ...] = ()
