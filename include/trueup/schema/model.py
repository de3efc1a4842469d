"""What an author of schema changes writes with: AlembicHistory, SchemaPhase, SchemaMigration.

Light: a DAG file imports it. Nothing here reads a history or a database.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import DeclarationError

if TYPE_CHECKING:
    from great_expectations.expectations import Expectation


@dataclass(frozen=True, kw_only=True)
class AlembicHistory:
    """The revisions of one database. `id` is what reports call the database; `connection` an Airflow connection id.

    A label is the number of a phase, on the last revision of that phase: everything on the way to it that an earlier
    phase does not hold belongs to it too; a revision that no label comes after belongs to no phase and is never run.
    Labels are the attribute `phase` of a revision's module, or `phases` (revision id → phase), which then stands alone.

    A revision's module may also say `breaking = "why"`, `locks = "why"` (what the lint would refuse, and why it is
    right here) and `irreversible = "why"` (there is no way down).
    """

    id: str
    connection: str
    script_location: Path
    phases: Mapping[str, int] = field(default_factory=dict)
    version_table: str = "alembic_version"

    def __post_init__(self) -> None:
        if not self.script_location.is_dir():
            raise DeclarationError(f"history {self.id!r}: there is no folder {self.script_location.name!r}")


SchemaSuite = Callable[[], "list[Expectation]"]


@dataclass(frozen=True, kw_only=True)
class SchemaPhase:
    """One phase, over all databases. `suite` is evaluated on what going up to it changed (and read backwards when going
    down): one row for each table, column, index, constraint, extension, … before or after, with `database`, `kind`,
    `name`, `fate` (same | added | removed | changed), `before` and `after` (definitions), and `added_table`
    (`<database>.<table>` where a table is new, else null)."""

    number: int
    title: str
    suite: SchemaSuite


@dataclass(frozen=True, kw_only=True)
class SchemaMigration:
    """Databases that change their schemas together, phase by phase. `lock_timeout`: seconds that a statement waits for
    a lock before its revision is given up and tried again later."""

    id: str
    title: str
    owner: str
    doc: str
    histories: tuple[AlembicHistory, ...]
    phases: tuple[SchemaPhase, ...]
    lock_timeout: float = 5.0

    def __post_init__(self) -> None:
        if not self.histories or not self.phases:
            raise DeclarationError(f"schema migration {self.id!r} has no history or no phase")
        ids = [h.id for h in self.histories]
        if len(set(ids)) != len(ids):
            raise DeclarationError(f"schema migration {self.id!r}: two histories share an id")
        if [p.number for p in self.phases] != list(range(len(self.phases))):
            raise DeclarationError(f"schema migration {self.id!r}: phases must be numbered 0, 1, 2, … in order")

    @property
    def connections(self) -> frozenset[str]:
        """The ids of the connections that its runs use."""
        return frozenset(history.connection for history in self.histories)

    @property
    def last_phase(self) -> int:
        """The number of the last phase."""
        return self.phases[-1].number

    def history(self, id: str) -> AlembicHistory:
        """The history of that id. Raises KeyError."""
        return {h.id: h for h in self.histories}[id]
