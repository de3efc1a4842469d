"""The ledger: what happened, in PostgreSQL. Runs, their status, steps, written batches, and leases on targets."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from datetime import datetime

import sqlalchemy as sa
from pydantic import JsonValue
from sqlalchemy.dialects.postgresql import insert

from ..errors import StatusError
from ..stores.effects import REAL, Effects, this_process
from ..stores.parameters import Ask
from . import rights, sessions, upgrading
from .batches import Batches, Pace, Planned
from .comparisons import Comparisons
from .decisions import Approvals, Switches
from .lasting import lease_seconds
from .leases import Lease, Leases, Part
from .rights import NOT_ENTERED, GoneOnError, Standing
from .rows import (
    Applied,
    ApprovalRow,
    CallsRow,
    ComparisonRow,
    ConflictRow,
    PlanRow,
    RefusedRow,
    RunRow,
    StepRow,
    TurnRow,
    refuse_other,
)
from .status import TRANSITIONS, Status, SwitchState
from .steps import Steps
from .tables import SCHEMA, metadata, plans, runs, steps, transitions
from .texts import to_be_read
from .usage import Usage

__all__ = [
    "Applied",
    "ApprovalRow",
    "CallsRow",
    "ComparisonRow",
    "ConflictRow",
    "GoneOnError",
    "Lease",
    "Ledger",
    "Pace",
    "Part",
    "PlanRow",
    "Planned",
    "RefusedRow",
    "RunRow",
    "Standing",
    "Status",
    "StepRow",
    "SwitchState",
    "TurnRow",
    "lease_seconds",
    "refuse_other",
    "this_process",
]

# asked by each step of a run: to make a statement takes longer than to have it answered
_RUN = sa.select(runs).where(runs.c.run_id == sa.bindparam("run_id"))
_RUNS = sa.select(runs).order_by(runs.c.started_at.desc(), runs.c.run_id)
_RUNS_OF = _RUNS.where(runs.c.migration_id == sa.bindparam("migration_id"))
_STATUS = sa.select(runs.c.status).where(runs.c.run_id == sa.bindparam("run_id")).with_for_update()
_BEGUN = insert(runs).on_conflict_do_nothing().returning(runs.c.run_id)
_CHANGED = runs.update().where(runs.c.run_id == sa.bindparam("this_run"))
_BEGUN_AGAIN = _CHANGED.values(attempt=runs.c.attempt + 1).returning(runs.c.attempt)
_ENDED, _PLANNED = (_CHANGED.values({name: sa.func.clock_timestamp()}) for name in ("ended_at", "planned_at"))
_MOVED = transitions.insert()
_PLANNED_BY = steps.update().where(
    steps.c.run_id == sa.bindparam("this_run"), steps.c.step == sa.bindparam("this_step")
)
_PLAN = [runs.c[name] for name in ("run_id", "attempt", "plan_sha256", "plan_files_sha256", "options")]
_NOTED = insert(plans).from_select(
    [column.name for column in _PLAN], sa.select(*_PLAN).where(runs.c.run_id == sa.bindparam("this_run"))
)
_NOTED = _NOTED.on_conflict_do_update(
    index_elements=["run_id", "attempt", "plan_sha256"],
    set_={"plan_files_sha256": _NOTED.excluded.plan_files_sha256, "at": sa.func.clock_timestamp()},
)


class Ledger(Steps, Batches):
    """The ledger in a database of PostgreSQL: by what gives libpq's parameters, asked at each connect, or by a SQLAlchemy
    URL. Safe to use from several threads.

    Every method may raise `StoreUnavailableError` when the database cannot be reached.
    """

    def __init__(self, database: str | sa.URL | Ask, effects: Effects = REAL) -> None:
        self.effects = effects
        self._engine = sessions.engine(database, effects)
        self.approvals = Approvals(self._begin)
        self.switches = Switches(self._begin)
        self.comparisons = Comparisons(self._begin)
        self.usage = Usage(self._begin)
        self.leases = Leases(self._begin, self._move, self._asking, effects)
        self._ensured = False

    def _begin(self) -> AbstractContextManager[sa.Connection]:
        return sessions.transaction(self._engine)

    def _asking(self, query: Callable[[], sa.Select[int]]) -> AbstractContextManager[Callable[[], int]]:
        return sessions.asking(self._engine, query, self.effects)

    def close(self) -> None:
        """Give back the database connections."""
        self._engine.dispose()

    def upgrade(self) -> None:
        """Bring the ledger's own tables to the newest version; only one process does it at a time. Raises `OptionsError` where a newer
        Trueup has done so."""
        upgrading.upgrade(self._engine)

    def is_upgraded(self) -> bool:
        """Whether the database has every table and column of the newest version."""
        with self._begin() as connection:
            query = "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = :schema"
            present = {tuple(row) for row in connection.execute(sa.text(query), {"schema": SCHEMA})}
        return present >= {(table.name, column.name) for table in metadata.sorted_tables for column in table.columns}

    def ensure(self) -> None:
        """`upgrade`, where the database is not at the newest version; it is looked at once."""
        if not self._ensured:
            if not self.is_upgraded():
                self.upgrade()
            self._ensured = True

    def is_set_up(self) -> bool:
        """Whether there is a ledger. One that an earlier release has left is brought to the newest version first: what it
        knows is not to be taken for nothing."""
        if not self._ensured:
            with self._begin() as connection:
                query = "SELECT count(*) FROM information_schema.tables WHERE table_schema = :schema"
                if not connection.execute(sa.text(query), {"schema": SCHEMA}).scalar_one():
                    return False
            self.ensure()
        return True

    # ── runs ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def begin(
        self,
        run_id: str,
        *,
        migration_id: str,
        dag_id: str,
        triggered_by: str | None,
        options: Mapping[str, JsonValue],
        undoes: str | None = None,
        airflow_run_id: str | None = None,
        at: Standing | None = None,
    ) -> int:
        """Enter a run, or the same run that begins again, and has no plan then; how often it has begun. `undoes` is the run
        that a rollback undoes; `at` is where it stood when what it wrote was set aside (None: nothing was).
        Raises `StatusError` if it is proven already, if the id is that of another run of Airflow, or if it has begun again
        since; `GoneOnError` if it has gone on."""
        with self._begin() as connection:
            values = {
                "migration_id": migration_id,
                "dag_id": dag_id,
                "triggered_by": triggered_by,
                "options": dict(options),
                "undoes": undoes,
                "airflow_run_id": airflow_run_id,
            }
            if connection.execute(_BEGUN, {"run_id": run_id, "status": Status.RUNNING, **values}).first():
                connection.execute(_MOVED, {"run_id": run_id, "to_status": Status.RUNNING, "reason": "preflight"})
                return 1
            entered = _row(connection.execute(_RUN, {"run_id": run_id}).mappings().one())
            refuse_other(entered, dag_id, airflow_run_id)
            self._move(connection, run_id, Status.RUNNING, "preflight")
            if at is not None:
                rights.require_still_at(connection, run_id, at)
            gone = dict.fromkeys(("ended_at", "plan_sha256", "plan_files_sha256", "planned_at", "asked_sha256"))
            values["airflow_run_id"] = airflow_run_id or entered.airflow_run_id
            return connection.execute(_BEGUN_AGAIN, {"this_run": run_id, **gone, **values}).scalar_one()

    def move(self, run_id: str, status: Status, reason: str, at: Standing | None = None) -> None:
        """Change a run's status. Raises `StatusError` where `TRANSITIONS` does not allow it; `GoneOnError` where the run does
        not stand `at` that any more (None: that is not asked)."""
        with self._begin() as connection:
            self._move(connection, run_id, status, reason)
            if at is not None:
                rights.require_at(connection, run_id, at, status)

    def standing(self, run_id: str) -> tuple[Status, Standing] | None:
        """The run's status, and where it stands; None for one that is not entered."""
        with self._begin() as connection:
            return rights.standing(connection, run_id)

    def run_and_standing(self, run_id: str) -> tuple[RunRow | None, Standing]:
        """The run's row, or None, and where it stands."""
        with self._begin() as connection:
            row = connection.execute(_RUN, {"run_id": run_id}).mappings().first()
            stands = rights.standing(connection, run_id) if row is not None else None
            return (None, NOT_ENTERED) if row is None or stands is None else (_row(row), stands[1])

    def require_at(self, run_id: str, at: Standing, status: Status) -> None:
        """Raise `GoneOnError` unless the run stands there still, with this status."""
        with self._begin() as connection:
            rights.require_at(connection, run_id, at, status)

    def _move(self, connection: sa.Connection, run_id: str, status: Status, reason: str) -> None:
        current = connection.execute(_STATUS, {"run_id": run_id}).scalar()
        before = None if current is None else Status(current)
        if before is None or status not in TRANSITIONS[before]:
            raise StatusError(
                f"run {run_id} is {before or 'not in the ledger'} and may not become {status}; start another run instead"
            )
        moved, values = _CHANGED, dict[str, str | None](this_run=run_id, status=status)
        # a run that is rolled back ended long before; one whose proof is said again ended when it was said first
        if status is Status.RUNNING:
            values["ended_at"] = None
        elif status is not Status.ROLLED_BACK and (before, status) != (Status.PROVEN, Status.PROVEN):
            moved = _ENDED
        connection.execute(moved, values)
        if before != status:
            entry = {"from_status": before, "to_status": status, "reason": to_be_read(reason)}
            connection.execute(_MOVED, {"run_id": run_id, **entry})

    def run(self, run_id: str) -> RunRow | None:
        """The run's row, or None."""
        with self._begin() as connection:
            row = connection.execute(_RUN, {"run_id": run_id}).mappings().first()
            return None if row is None else _row(row)

    def entered(self, run_id: str) -> RunRow:
        """The run's row. Raises `StatusError` where there is none: the run has not been through its preflight."""
        row = self.run(run_id)
        if row is None:
            raise StatusError(
                f"run {run_id} is not in the ledger: it has not been through preflight; trigger the DAG again"
            )
        return row

    def known_as(self, run_id: str, former_id: str, dag_id: str, since: datetime | None) -> str:
        """Which of two ids a run of Airflow that was triggered at `since` has here: `run_id`, unless it is entered under the
        id of the first release, whose rows do not say which run of Airflow they are of."""
        query = sa.select(runs).where(runs.c.run_id.in_([run_id, former_id]))
        with self._begin() as connection:
            rows = {row["run_id"]: _row(row) for row in connection.execute(query).mappings()}
        row = rows.get(former_id)
        if run_id in rows or row is None or row.airflow_run_id is not None or row.dag_id != dag_id:
            return run_id
        return former_id if since is not None and since <= row.started_at else run_id

    def runs(self, migration_id: str | None = None) -> list[RunRow]:
        """The rows of all runs (of one migration), the newest first; `undoes` is null except for rollbacks."""
        query, of = (_RUNS, {}) if migration_id is None else (_RUNS_OF, {"migration_id": migration_id})
        with self._begin() as connection:
            return [_row(row) for row in connection.execute(query, of).mappings()]

    def choose(self, run_id: str, options: Mapping[str, JsonValue], attempt: int) -> None:
        """Note the run's options again, with what preflight chose. Raises `StatusError` where the run has ended, or begun again
        since it began for the `attempt`th time."""
        with self._begin() as connection:
            rights.require_begun(connection, run_id, attempt)
            connection.execute(_CHANGED, {"this_run": run_id, "options": dict(options)})

    def planned(self, run_id: str, sha256: str, files_sha256: str | None = None, *, by: Part | None = None) -> None:
        """Note the hash of the run's plan, which was made just now, and that of its files. Raises `StatusError` where who made
        it (`by`) is an older try, or the run has ended or begun again (None: it is not asked)."""
        hashes = {"plan_sha256": sha256, "plan_files_sha256": files_sha256}
        step = "plan_gate" if by is None else by.step
        with self._begin() as connection:
            # before it is asked: it locks the run, so nobody begins meanwhile
            connection.execute(_PLANNED, {"this_run": run_id, **hashes})
            if by is not None:
                rights.require_newest(connection, run_id, None, by)
            connection.execute(_PLANNED_BY, {"this_run": run_id, "this_step": step, "plan_sha256": sha256})
            connection.execute(_NOTED, {"this_run": run_id})

    def plans(self, run_id: str) -> list[PlanRow]:
        """Every plan that the run ever had, the first one first. None of runs that are older than this is noted but the
        last."""
        query = sa.select(plans).where(plans.c.run_id == run_id).order_by(plans.c.attempt, plans.c.at)
        with self._begin() as connection:
            return [PlanRow(**row) for row in connection.execute(query).mappings()]


def _row(row: sa.RowMapping) -> RunRow:
    return RunRow(**{**row, "status": Status(row["status"])})
