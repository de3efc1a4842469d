"""The whole run in one process, where nobody is asked: the order of the verbs, without Airflow."""

from __future__ import annotations

from typing import Any

from ..run import Mode
from ..write.approval import approve
from .apply import apply, gate
from .plan import SCHEMAS, make
from .preflight import preflight
from .report import report
from .run import SchemaRun
from .verbs import backup, lint, rehearsal


def walk(run: SchemaRun, *, triggered_by: str | None = None) -> dict[str, Any]:
    """Every verb in order; the report's verdict. Raises what a verb raises, after the report is written."""
    try:
        databases = preflight(run, triggered_by)
        lint(run)
        for database in databases:
            rehearsal(run, database)
        make(run)
        if run.options.mode is Mode.APPLY:
            approve(run, triggered_by, plans=SCHEMAS)
            for database in databases:
                backup(run, database)
            apply(run)
            gate(run)
    except Exception:
        report(run)
        raise
    return report(run)
