"""The ledger: what happened, in PostgreSQL. Runs, their status, steps, written batches, and holds on targets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from ..errors import StatusError, StoreRejectedError, StoreUnavailableError, TargetHeldError
from ..stores import Outcome
from .decisions import Approvals, Switches
from .holders import is_dead, refusal, this_process
from .status import TRANSITIONS, Status, SwitchState
from .tables import SCHEMA, batches, holds, metadata, runs, steps, transitions

__all__ = ["HOLD_SECONDS", "Ledger", "Status", "SwitchState", "this_process"]

HOLD_SECONDS = 60
"""A hold that nobody renews for this long has expired."""
_UPGRADE_LOCK = 7_416_830_201


class Ledger:
    """The ledger in the database at `url` (a SQLAlchemy URL of PostgreSQL). Safe to use from several threads.

    Every method may raise `StoreUnavailableError` when the database cannot be reached.
    """

    def __init__(self, url: str | sa.URL) -> None:
        url = sa.make_url(url).set(drivername="postgresql+psycopg")
        self._engine = sa.create_engine(url, pool_size=4, pool_pre_ping=True, pool_recycle=300)
        self.approvals = Approvals(self._begin)
        self.switches = Switches(self._begin)

    @contextmanager
    def _begin(self) -> Iterator[sa.Connection]:
        try:
            with self._engine.begin() as connection:
                yield connection
        except (sa.exc.OperationalError, sa.exc.InterfaceError) as error:
            raise StoreUnavailableError(
                f"the ledger (connection trueup_ledger) did not answer: {error.orig}; what is written stays written, try again"
            ) from None
        except sa.exc.ProgrammingError as error:
            raise StoreRejectedError(
                f"the ledger (connection trueup_ledger) refused a statement: {error.orig}; "
                "its schema is made at the preflight of a run: has one run against this database, and may its user create tables?"
            ) from None

    def close(self) -> None:
        """Give back the database connections."""
        self._engine.dispose()

    def upgrade(self) -> None:
        """Bring the ledger's own tables to the newest version; only one process does it at a time."""
        from alembic import command
        from alembic.config import Config

        config = Config()
        config.set_main_option("script_location", str(Path(__file__).parent / "alembic"))
        with self._begin() as connection:
            connection.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": _UPGRADE_LOCK})
            connection.execute(sa.schema.CreateSchema(SCHEMA, if_not_exists=True))
            config.attributes["connection"] = connection
            command.upgrade(config, "head")

    def is_upgraded(self) -> bool:
        """Whether the database has every table of the newest version."""
        with self._begin() as connection:
            there = sa.inspect(connection).get_table_names(SCHEMA)
        return {table.name for table in metadata.sorted_tables} <= set(there)

    # ── runs ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def begin(
        self,
        run_id: str,
        *,
        migration_id: str,
        dag_id: str,
        triggered_by: str | None,
        options: Mapping[str, Any],
        undoes: str | None = None,
    ) -> None:
        """Enter a run, or the same run tried again; `undoes` is the run that a rollback undoes. Raises `StatusError` if
        it is proven already."""
        with self._begin() as connection:
            values = {
                "migration_id": migration_id,
                "dag_id": dag_id,
                "triggered_by": triggered_by,
                "options": dict(options),
                "undoes": undoes,
            }
            new = insert(runs).values(run_id=run_id, status=Status.RUNNING, **values).on_conflict_do_nothing()
            if connection.execute(new.returning(runs.c.run_id)).first():
                connection.execute(
                    transitions.insert().values(run_id=run_id, to_status=Status.RUNNING, reason="preflight")
                )
            else:
                self._move(connection, run_id, Status.RUNNING, "preflight")
                connection.execute(runs.update().where(runs.c.run_id == run_id).values(ended_at=None, **values))

    def move(self, run_id: str, status: Status, reason: str) -> None:
        """Change a run's status. Raises `StatusError` where `TRANSITIONS` has no such way."""
        with self._begin() as connection:
            self._move(connection, run_id, status, reason)

    def _move(self, connection: sa.Connection, run_id: str, status: Status, reason: str) -> None:
        current = connection.execute(sa.select(runs.c.status).where(runs.c.run_id == run_id).with_for_update()).scalar()
        was = None if current is None else Status(current)
        if was is None or status not in TRANSITIONS[was]:
            raise StatusError(
                f"run {run_id} is {was or 'not in the ledger'} and may not become {status}; start another run instead"
            )
        values: dict[str, Any] = {"status": status}
        if status is not Status.ROLLED_BACK:  # that is another run's doing, long after this one ended
            values["ended_at"] = None if status is Status.RUNNING else sa.func.clock_timestamp()
        connection.execute(runs.update().where(runs.c.run_id == run_id).values(**values))
        connection.execute(transitions.insert().values(run_id=run_id, from_status=was, to_status=status, reason=reason))

    def run(self, run_id: str) -> dict[str, Any] | None:
        """The run's row, or None."""
        with self._begin() as connection:
            row = connection.execute(sa.select(runs).where(runs.c.run_id == run_id)).mappings().first()
            return None if row is None else dict(row)

    def runs(self, migration_id: str | None = None) -> list[dict[str, Any]]:
        """The rows of all runs (of one migration), the newest first; `undoes` is null but for rollbacks."""
        query = sa.select(runs).order_by(runs.c.started_at.desc(), runs.c.run_id)
        if migration_id is not None:
            query = query.where(runs.c.migration_id == migration_id)
        with self._begin() as connection:
            return [dict(row) for row in connection.execute(query).mappings()]

    def choose(self, run_id: str, options: Mapping[str, Any]) -> None:
        """Note the run's options again, with what preflight chose."""
        with self._begin() as connection:
            connection.execute(runs.update().where(runs.c.run_id == run_id).values(options=dict(options)))

    def planned(self, run_id: str, sha256: str) -> None:
        """Note the hash of the run's plan, which was made just now."""
        made = {"plan_sha256": sha256, "planned_at": sa.func.clock_timestamp()}
        with self._begin() as connection:
            connection.execute(runs.update().where(runs.c.run_id == run_id).values(**made))

    # ── steps ────────────────────────────────────────────────────────────────────────────────────────────────────

    @contextmanager
    def step(self, run_id: str, step: str, part: str) -> Iterator[None]:
        """Note when a part of a step starts and ends, and the error that it ends with."""
        key = {"run_id": run_id, "step": step, "part": part}
        with self._begin() as connection:
            new = insert(steps).values(**key)
            again = {
                "tries": steps.c.tries + 1,
                "started_at": sa.func.clock_timestamp(),
                "ended_at": None,
                "error": None,
                "error_class": None,
            }
            connection.execute(new.on_conflict_do_update(index_elements=list(key), set_=again))
        this = sa.and_(*(steps.c[k] == v for k, v in key.items()))
        end: dict[str, Any] = {"ended_at": sa.func.clock_timestamp()}
        try:
            yield
        except Exception as error:
            failed = {**end, "error": str(error)[:10_000], "error_class": type(error).__name__}
            with self._begin() as connection:
                connection.execute(steps.update().where(this).values(**failed))
            raise
        with self._begin() as connection:
            connection.execute(steps.update().where(this).values(**end))

    def steps(self, run_id: str) -> list[dict[str, Any]]:
        """Every part of every step so far, in the order they started."""
        with self._begin() as connection:
            query = sa.select(steps).where(steps.c.run_id == run_id).order_by(steps.c.started_at, steps.c.part)
            return [dict(row) for row in connection.execute(query).mappings()]

    # ── batches ──────────────────────────────────────────────────────────────────────────────────────────────────

    def wrote(self, run_id: str, phase: str, partition: int, batch: int, rows: int, outcome: Outcome) -> None:
        """Note that a batch is written. Called after the write, never before."""
        conflicts = [{"key": c.key, "reason": c.reason, "found": c.found} for c in outcome.conflicts]
        refused = [{"key": r.key, "reason": r.reason, "constraint": r.constraint} for r in outcome.refused]
        with self._begin() as connection:
            connection.execute(
                insert(batches)
                .values(
                    run_id=run_id, phase=phase, partition=partition, batch=batch, rows=rows,
                    written=outcome.written, conflicts=conflicts, refused=refused, retries=outcome.retries,
                )
                .on_conflict_do_nothing()
            )  # fmt: skip

    def written(self, run_id: str, phase: str, partition: int) -> set[int]:
        """The numbers of the batches that are written."""
        with self._begin() as connection:
            return set(connection.execute(sa.select(batches.c.batch).where(_of(run_id, phase, partition))).scalars())

    def applied(self, run_id: str, phase: str | None = None, partition: int | None = None) -> dict[str, dict[str, Any]]:
        """What has been applied, by phase: batches, rows, written, conflicts, refused, retries, and the seconds between first
        and last."""
        total = sa.func.sum
        query = (
            sa.select(
                batches.c.phase,
                sa.func.count().label("batches"),
                total(batches.c.rows).label("rows"),
                total(batches.c.written).label("written"),
                total(sa.func.jsonb_array_length(batches.c.conflicts)).label("conflicts"),
                total(sa.func.jsonb_array_length(batches.c.refused)).label("refused"),
                total(batches.c.retries).label("retries"),
                sa.extract("epoch", sa.func.max(batches.c.at) - sa.func.min(batches.c.at)).label("seconds"),
            )
            .where(_of(run_id, phase, partition))
            .group_by(batches.c.phase)
        )
        with self._begin() as connection:
            found = [dict(row) for row in connection.execute(query).mappings()]
        return {row.pop("phase"): {k: float(v) if k == "seconds" else int(v) for k, v in row.items()} for row in found}

    def conflicts(self, run_id: str, phase: str | None = None, partition: int | None = None) -> list[dict[str, Any]]:
        """The rows that were left alone: phase, key, reason, found; in the order of the plan."""
        return self._rows(batches.c.conflicts, run_id, phase, partition)

    def refused(self, run_id: str, phase: str | None = None, partition: int | None = None) -> list[dict[str, Any]]:
        """The rows that the store refused: phase, key, reason, constraint; in the order of the plan."""
        return self._rows(batches.c.refused, run_id, phase, partition)

    def _rows(
        self, kind: sa.Column[Any], run_id: str, phase: str | None, partition: int | None
    ) -> list[dict[str, Any]]:
        query = (
            sa.select(batches.c.phase, kind.label("rows"))
            .where(_of(run_id, phase, partition), sa.func.jsonb_array_length(kind) > 0)
            .order_by(batches.c.phase, batches.c.partition, batches.c.batch)
        )
        with self._begin() as connection:
            return [{"phase": row.phase, **each} for row in connection.execute(query) for each in row.rows]

    # ── holds ────────────────────────────────────────────────────────────────────────────────────────────────────

    def hold(self, run_id: str, targets: Sequence[str], *, holder: str | None = None) -> None:
        """Take or renew the run's hold on its targets, all or none.

        `holder` names the process that is the whole run, if there is one (`this_process`): a hold whose process has
        died on this machine is free at once; any other is free after `HOLD_SECONDS` without renewal. Raises
        `TargetHeldError`, saying which run holds what and until when.
        """
        with self._begin() as connection:
            connection.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": _UPGRADE_LOCK + 1})
            now = connection.execute(sa.select(sa.func.clock_timestamp())).scalar_one()
            query = sa.select(holds).where(holds.c.target.in_(list(targets)), holds.c.run_id != run_id)
            for other in connection.execute(query).mappings().all():
                if other["expires_at"] > now and not is_dead(other["holder"]):
                    raise TargetHeldError(refusal(run_id, dict(other), now))
                status = connection.execute(sa.select(runs.c.status).where(runs.c.run_id == other["run_id"])).scalar()
                if status == Status.RUNNING:
                    self._move(
                        connection, other["run_id"], Status.INTERRUPTED, f"run {run_id} took over its expired hold"
                    )
                connection.execute(holds.delete().where(holds.c.target == other["target"]))
            for target in targets:
                values = {"run_id": run_id, "holder": holder, "expires_at": now + timedelta(seconds=HOLD_SECONDS)}
                new = insert(holds).values(target=target, **values)
                connection.execute(new.on_conflict_do_update(index_elements=["target"], set_=values))

    def release(self, run_id: str) -> None:
        """Give up every hold of the run."""
        with self._begin() as connection:
            connection.execute(holds.delete().where(holds.c.run_id == run_id))


def _of(run_id: str, phase: str | None, partition: int | None) -> sa.ColumnElement[bool]:
    """The batches of a run, or of one phase or partition of it."""
    wanted = [batches.c.run_id == run_id]
    if phase is not None:
        wanted.append(batches.c.phase == phase)
    if partition is not None:
        wanted.append(batches.c.partition == partition)
    return sa.and_(*wanted)
