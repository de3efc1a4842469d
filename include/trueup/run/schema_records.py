"""What one step of a run on schemas hands to another, with its form in JSON (`records.py`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

Way = Literal["up", "down"]
Hop = int | Literal["revisions"]
REVISIONS: Literal["revisions"] = "revisions"
"""The hop to the revisions that were asked for, where they are no phase."""


class Level(StrEnum):
    """What a finding of the lint means for the run."""

    BREAKING = "breaking"  # who uses the schema may stop working: refused unless the revision says `breaking`
    LOCKS = "locks"  # blocks readers or writers while it works: refused unless the revision says `locks`
    NOTE = "note"  # worth a look, never refused
    NOT_LINTED = "not linted"  # nothing is known about it: refused, always


@dataclass(frozen=True, kw_only=True)
class LintFinding:
    """A finding in the SQL of a revision of a `database`. `line` counts from 1, in the rendered SQL; `excuse` is why the
    revision may do it; `refused`: it stops the run."""

    database: str
    revision: str
    way: Way
    rule: str
    level: Level
    line: int
    message: str
    excuse: str | None
    refused: bool


@dataclass(frozen=True, kw_only=True)
class LintFacts:
    """What the step lint leaves: its findings, and by database the hash of what it looked at (`Covered`)."""

    findings: tuple[LintFinding, ...]
    covers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Measured:
    """One revision of a rehearsal: the `seconds` it took, the tables that were there before with the strongest lock that it
    held on each at its end (`locked`), and what would be gone by it, `table x` or `column x.y` (`lost`)."""

    revision: str
    up: bool
    seconds: float
    locked: Mapping[str, str]
    lost: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Rehearsed:
    """What the rehearsal of a database found. `problems`: why the run may not go on. `touched`: tables that the run would
    change or drop. `lost`: what would be gone, `table x` or `column x.y`, and how many rows (values) of the real database's go
    with it. `notes`: what could not be rehearsed. `covers`: the hash of what was rehearsed (`Covered`)."""

    database: str
    cloned_by: str = ""
    steps: int = 0
    sample_rows: int = 0
    problems: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    touched: tuple[str, ...] = ()
    lost: Mapping[str, int] = field(default_factory=dict)
    measured: tuple[Measured, ...] = ()
    covers: str = ""


@dataclass(frozen=True, kw_only=True)
class Held:
    """What a table held when it was backed up: its rows, and a checksum of each column."""

    count: int
    checksums: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class BackedUp:
    """What the backup of a database leaves: by table how many rows were copied, and what it held."""

    rows: Mapping[str, int]
    held: Mapping[str, Held]


@dataclass(frozen=True, kw_only=True)
class RestoredTable:
    """A table that was restored: its `rows`, the checksum of each column as the backup and the table have it, and the SHA-256 of
    the file that it came from."""

    table: str
    rows: int
    checksums: Mapping[str, str]
    sha256: str


@dataclass(frozen=True, kw_only=True)
class Restored:
    """`restored.json`: the backup of a `database` by a `run` that was put back, and `place`, where to, as its server says."""

    run: str
    database: str
    place: str
    tables: tuple[RestoredTable, ...]


@dataclass(frozen=True, kw_only=True)
class CoveredRevision:
    """What the plan's hash covers of a revision."""

    revision: str
    up: bool
    sql: str


@dataclass(frozen=True, kw_only=True)
class Covered:
    """What the plan's hash covers of a database but its rows: which one it is, as its server says, the revisions that it is
    at, and those that will run."""

    identity: str
    heads: tuple[str, ...]
    steps: tuple[CoveredRevision, ...]


@dataclass(frozen=True, kw_only=True)
class CoveredWithRows(Covered):
    """All that it covers of a database: `going` is what goes, `table x` or `column x.y`, with its rows (values)."""

    going: Mapping[str, int]


@dataclass(frozen=True, kw_only=True)
class PlannedRevision(CoveredRevision):
    """A revision as a person is shown it: what it says of itself (`breaking`, `locks`, `irreversible`), its lint, the locks
    and the seconds of its rehearsal, and what goes with it."""

    title: str
    phase: int
    breaking: str | None
    locks: str | None
    irreversible: str | None
    findings: tuple[LintFinding, ...]
    seconds: float
    locked: Mapping[str, str]
    goes: Mapping[str, int]


@dataclass(frozen=True, kw_only=True)
class PlannedDatabase:
    """What is to be done to a database, and what goes from it."""

    identity: str
    heads: tuple[str, ...]
    steps: tuple[PlannedRevision, ...]
    going: Mapping[str, int]


@dataclass(frozen=True, kw_only=True)
class SchemaPlan:
    """`schema-plan.json`: the plan of a run on schemas, as a person is shown it. `sha256` is its hash, `created_at` ISO 8601,
    UTC; `from_phase`: the phase that all databases are at (None: out of step); `target_phase`: None where it ends at the
    revisions of `target_revision` (by database), which are no phase."""

    sha256: str
    created_at: str
    from_phase: int | None
    target_phase: int | None
    databases: Mapping[str, PlannedDatabase]
    target_revision: Mapping[str, str] = field(default_factory=dict)

    @property
    def revisions(self) -> list[PlannedRevision]:
        """Every revision, database by database."""
        return [revision for database in self.databases.values() for revision in database.steps]


@dataclass(frozen=True, kw_only=True)
class DatabaseState:
    """A database as it was at one time: its objects (kind, name, definition, the table that each belongs to), and of each table
    how many rows, a checksum of each column, and how many values are in each."""

    objects: tuple[tuple[str, str, str, str | None], ...]
    rows: Mapping[str, tuple[int, Mapping[str, str], Mapping[str, int]]]
