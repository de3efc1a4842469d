"""One expectation of a migration's gates, over its runs."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, HTTPException, Query

from include.trueup.gate import Expected, GateResult, Severity
from include.trueup.ledger import RunRow
from include.trueup.run import Files

from ..connections import book as ledger_there
from . import scheduled
from .files import cut, folder
from .scheduled import AskedRun

router = APIRouter(prefix="/data/dags/{dag_id}")
SHOWN = 50
"""Runs that are shown, the newest."""
Outcome = Literal["held", "broken", "not judged", "not in the suite", "not reached"]
Name = Annotated[str, Query(min_length=1, max_length=500)]
_GATE = re.compile(r"[A-Za-z0-9_-]{1,200}")
"""What a gate may be called. It becomes a file's name, which nothing else of an address may."""


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """What became of the expectation in a run: `observed` is what was found where it judges no single rows, else `unexpected`
    of `rows` rows broke it. Of a gate that was not reached, or a suite without it, there is nothing."""

    id: str
    dag_id: str
    run_id: str | None
    at: datetime | None
    outcome: Outcome
    severity: Severity | None = None
    observed: str | None = None
    unexpected: int | None = None
    rows: int | None = None
    error: str | None = None


@dataclass(frozen=True, kw_only=True)
class Judgements:
    """An expectation over the newest runs of a DAG, of `total`, the newest first. `description` is the newest run's."""

    dag_id: str
    migration_id: str
    gate: str
    result: str
    output: str | None
    rule: str
    description: str
    total: int
    runs: tuple[Judgement, ...]


@dataclass(frozen=True, kw_only=True)
class _Sought:
    gate: str
    result: str
    output: str | None
    rule: str
    description: str


@router.get("/expectation")
def over_runs(
    dag_id: str,
    gate: Name,
    result: Name,
    rule: Name,
    output: Annotated[str, Query(max_length=500)] = "",
    description: Annotated[str, Query(max_length=5_000)] = "",
) -> Judgements:
    """What became of an expectation in the newest runs of the DAG: of `gate` (its file), in the result of that name, of that
    output; of several with the same rule, the one so described."""
    book = ledger_there()
    rows = [row for row in book.runs(scheduled.migration_id(dag_id)) if row.dag_id == dag_id] if book else []
    known = scheduled.runs([dag_id], 4 * SHOWN, rows)
    sought = _Sought(gate=gate, result=result, output=output or None, rule=rule, description=description)
    judged = [(row, _judged(row, sought)) for row in rows[:SHOWN]]
    named = [expected.description for _, (_, expected) in judged if expected is not None]
    if not named:
        raise HTTPException(
            404, f"no run of {dag_id} that is shown here has the expectation {rule!r} at its gate {gate!r}"
        )
    return Judgements(
        dag_id=dag_id,
        migration_id=scheduled.migration_id(dag_id),
        gate=gate,
        result=result,
        output=sought.output,
        rule=rule,
        description=cut(named[0]),
        total=len(rows),
        runs=tuple(_judgement(row, known.get(row.run_id), *each) for row, each in judged),
    )


def _judged(row: RunRow, sought: _Sought) -> tuple[GateResult | None, Expected | None]:
    """The gate's result in that run, and the expectation in it."""
    if not _GATE.fullmatch(sought.gate):
        return None, None
    judged = Files(folder(row.run_id)).gate(sought.gate)
    for result in judged:
        if (result.gate, result.output) == (sought.result, sought.output):
            return result, _one(result.expectations, sought)
    return (judged[0], None) if judged else (None, None)


def _one(expectations: Sequence[Expected], sought: _Sought) -> Expected | None:
    same = [each for each in expectations if each.rule == sought.rule]
    described = [each for each in same if each.description == sought.description]
    return next(iter(described or (same if len(same) == 1 else ())), None)


def _judgement(row: RunRow, asked: AskedRun | None, result: GateResult | None, expected: Expected | None) -> Judgement:
    held: Outcome = "not reached" if result is None else "not in the suite"
    if expected is not None:
        held = "held" if expected.passed else "not judged" if expected.error else "broken"
    return Judgement(
        id=row.run_id,
        dag_id=row.dag_id,
        run_id=asked.run_id if asked else None,
        at=row.started_at,
        outcome=held,
        severity=expected.severity if expected else None,
        observed=cut(expected.observed) if expected else None,
        unexpected=expected.unexpected if expected else None,
        rows=result.rows if result and expected else None,
        error=cut(expected.error) if expected else None,
    )
