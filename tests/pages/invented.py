"""Runs that a ledger and Airflow know of and that nobody made: their rows, their reports, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from include.embedded import postgres
from include.trueup.ledger import Ledger, Status
from include.trueup.run import Mode, Options, Refusal, Window, run_id
from include.trueup.run.files import Files
from include.trueup.run.workspace import Workspace
from tests.harness import new_database

DAG = "kpi_linking"


@dataclass(frozen=True, kw_only=True)
class Invented:
    """A ledger and a workspace, which the pages are led to."""

    ledger: Ledger
    workspace: Workspace

    def airflow(self, dag_id: str, name: str, state: str = "success", *, conf: Any = None, **more: Any) -> str:
        """A run of the DAG in Airflow's database; its id in the ledger."""
        from airflow.models.serialized_dag import SerializedDagModel
        from airflow.utils.state import DagRunState
        from airflow.utils.types import DagRunTriggeredByType, DagRunType

        dag = SerializedDagModel.get_dag(dag_id)
        assert dag is not None
        asked = {"run_after": datetime.now(UTC), "run_type": DagRunType.MANUAL, "conf": conf or {}, **more}
        dag.create_dagrun(run_id=name, triggered_by=DagRunTriggeredByType.TEST, state=DagRunState(state), **asked)
        return run_id(dag_id, name)

    def run(
        self,
        id: str,
        status: Status,
        *,
        dag_id: str = DAG,
        undoes: str | None = None,
        window: Window | None = None,
        written: int = 0,
        **rows: int,
    ) -> None:
        """A run in the ledger, with a plan of these rows by verb, so many of them written, and a proof and a report where it
        is proven."""
        options = Options(window=window, mode=Mode.PLAN if status is Status.PLANNED else Mode.APPLY).to_json()
        self.ledger.begin(id, migration_id=DAG, dag_id=dag_id, triggered_by="ada", undoes=undoes, options=options)
        self.ledger.planned(id, "a" * 64, "b" * 64)
        phase = {"phase": "links", "title": "Links", "source_table": "s", "target_table": "t", "source_rows": 9}
        self.workspace.run(id).write(
            "findings.csv", "phase,table,key,severity,code,message\nlinks,t,k,warning,odd,said\n"
        )
        fates = {"written": 9, "kept": 0, "rejected": rows.pop("rejected", 0), "skipped": {}, "unaccounted": 0}
        plan = {"sha256": "a" * 64, "created_at": "2026-11-20T10:00:00Z", "phases": [{**phase, **fates, "rows": rows}]}
        folder = self.workspace.run(id)
        folder.write("plan.json", json.dumps(plan))
        proof = [{"phase": "links", "target_table": "t", "compared": 9, "missing": 0, "different": 0, "unverified": 0}]
        proof = [{**each, "extra": 0, "reread": 0, "passed": True} for each in proof]
        undone = {"deleted": rows.get("remove", 0), "put_back": rows.get("add", 0), "as_before": 0, "kept": 0}
        passed = status is Status.PROVEN
        verdict = {
            "status": "passed" if passed else "failed",
            "headline": "As told.",
            "exceptions": 0,
            "proof": "proven",
        }
        facts = {
            "plan": plan,
            "proof": proof if passed else [],
            "verdict": verdict,
            "run": {"window": window and window.to_json()},
        }
        folder.write("report.json", json.dumps({**facts, "undone": undone if undoes and passed else None}))
        if written:
            self._wrote(id, written)
        if status is not Status.RUNNING:
            self.ledger.move(id, status, "invented")

    def _wrote(self, id: str, rows: int) -> None:
        from include.trueup.stores import Outcome

        outcome = Outcome(written=rows, conflicts=[], refused=[], retries=0)
        with self.ledger.step(id, "apply/links", "0"):
            self.ledger.wrote(id, "links", 0, 0, rows=rows, outcome=outcome)

    def backfill(self, days: list[tuple[date, str | None]], conf: Any = None) -> dict[date, str]:
        """A backfill of these days, each with the state of Airflow's run (None: it made none); the runs' ids in the ledger."""
        from airflow._shared.timezones import timezone
        from airflow.models.backfill import Backfill, BackfillDagRun
        from airflow.models.dagrun import DagRun
        from airflow.timetables.base import DataInterval
        from airflow.utils.session import create_session
        from airflow.utils.types import DagRunType
        from sqlalchemy import select

        def midnight(day: date) -> datetime:
            return datetime(day.year, day.month, day.day, tzinfo=UTC)

        first, last = midnight(days[0][0]), midnight(days[-1][0])
        with create_session() as session:
            made = Backfill(
                dag_id=DAG, from_date=first, to_date=last, dag_run_conf=conf or {}, triggering_user_name="olive"
            )
            session.add(made)
            session.flush()
            number = made.id
        found: dict[date, str] = {}
        for n, (day, state) in enumerate(days, 1):
            start = midnight(day)
            asked: dict[str, Any] = {"logical_date": start, "run_type": DagRunType.BACKFILL_JOB, "backfill_id": number}
            asked["data_interval"] = DataInterval(
                timezone.coerce_datetime(start), timezone.coerce_datetime(start + timedelta(days=1))
            )
            if state is not None:
                found[day] = self.airflow(DAG, f"backfill__{start.isoformat()}", state, conf=conf, **asked)
            with create_session() as session:
                query = select(DagRun.id).where(DagRun.backfill_id == number, DagRun.logical_date == start)
                its = session.scalar(query)
                why = None if its else "already exists"
                about = {"dag_run_id": its, "exception_reason": why, "logical_date": start, "sort_ordinal": n}
                session.add(BackfillDagRun(backfill_id=number, **about))
        return found

    def compared(self, id: str, *keys: str) -> str:
        """What the comparison of nine found to differ; its id."""
        begun_at = self.ledger.comparisons.begin(id, DAG, f"{DAG}_shadow")
        content = json.dumps({"differences": [{"key": key} for key in keys]})
        sha256 = self.workspace.run(id).write("comparison.json", content).sha256
        self.ledger.comparisons.end(id, begun_at, compared=9, differences=len(keys), whole=True, sha256=sha256)
        return id

    def refused(self, id: str, step: str, reason: str, by: str | None = None) -> None:
        """Why that run turned no switch."""
        refusal = Refusal(step=step, reason=reason, at="2026-11-20T10:00:00+00:00", to="next", by=by)
        Files(self.workspace.run(id)).write_refusal(refusal)


@pytest.fixture
def invented(
    airflow_runs: None,
    behind: Callable[[str, Workspace], None],
    postgres_server: postgres.Server,
    tmp_path: Any,
) -> Any:
    """An empty ledger and workspace; what Airflow has of the runs is taken away again."""
    from airflow.models.backfill import Backfill, BackfillDagRun
    from airflow.models.dagrun import DagRun
    from airflow.utils.session import create_session
    from sqlalchemy import delete, select

    uri = new_database(postgres_server)
    ledger, workspace = Ledger(uri), Workspace(str(tmp_path / "invented"))
    ledger.upgrade()
    behind(uri, workspace)
    with create_session() as session:
        known = set(session.scalars(select(DagRun.id)))
    yield Invented(ledger=ledger, workspace=workspace)
    ledger.close()
    with create_session() as session:
        session.execute(delete(BackfillDagRun))
        session.execute(delete(DagRun).where(DagRun.id.not_in(known)))
        session.execute(delete(Backfill))
