"""What came of a planned row: why it was not written, and what was found when it was read back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

import duckdb

from ...ledger import Ledger
from ...rows import duck
from ...run.files import PROOF_FILES
from .rows import Looked, Stack

AS_PLANNED = "as planned"


@dataclass(frozen=True, kw_only=True)
class Planned:
    """A planned row, and where it is."""

    stack: Stack
    number: int
    verb: str
    key: str
    source: str | None


@dataclass(frozen=True, kw_only=True)
class Proven:
    """What reading the row back has shown: `kind` (`as planned`, or one of `proofs.KINDS`), when, the row that was `found`
    instead (JSON), and the `reason` where one is known."""

    kind: str
    at: datetime | None = None
    found: str | None = None
    reason: str | None = None


class NotWritten:
    """Why rows that were to be written were not, by output and key."""

    def __init__(self, ledger: Ledger, run_id: str) -> None:
        self._reasons: dict[tuple[str, str], str] = {}
        for each in ledger.conflicts(run_id):
            self._reasons[each.output, each.key] = f"left alone: {each.reason}"
        for no in ledger.refused(run_id):
            by = f" by {no.constraint}" if no.constraint else ""
            self._reasons[no.output, no.key] = f"refused{by}: {no.reason}"

    def of(self, output: str, key: str) -> str | None:
        """Why a row was not; None where nothing is known."""
        return self._reasons.get((output, key))


class Proofs:
    """What was found when the rows were read back."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, looked: Looked, ledger: Ledger) -> None:
        self._connection, self._looked = connection, looked
        self._ended: Mapping[tuple[str, str], datetime] = {
            (step.step, step.part): step.ended_at
            for step in ledger.steps(looked.folder.run_id)
            if step.step.startswith("verify/") and step.ended_at is not None and step.error is None
        }

    def of(self, row: Planned, partition: int) -> Proven | None:
        """By the last phase that has looked at the row: each looks at what the phases before it wrote to its target."""
        last = None
        for output, phase in self._after(row):
            ended = self._ended.get((f"verify/{phase}", str(partition)))
            manifests = self._looked.manifests(f"verify/{phase}")
            files = [*PROOF_FILES.among(manifests, output, partition)]
            if ended is None or not files:
                continue
            last = Proven(kind=AS_PLANNED, at=ended)
            for file in files:
                if file.rows:
                    rows = duck.numbered([self._looked.path(file)])
                    query = f"SELECT kind, found, reason FROM ({rows}) WHERE key = ? LIMIT 1"
                    for kind, actual, reason in self._connection.execute(query, [row.key]).fetchall():
                        last = Proven(kind=kind, at=ended, found=actual, reason=reason)
        return last

    def _after(self, row: Planned) -> Iterator[tuple[str, str]]:
        mine = False
        for phase in self._looked.phases:
            for output in phase.outputs:
                mine = mine or output.name == row.stack.name
                if mine and self._looked.table(output.name) == row.stack.table:
                    yield output.name, phase.id
