"""Apply: the run's revisions, phase by phase, every database to a phase before any goes to the next; then the gate."""

from __future__ import annotations

import logging
from contextlib import ExitStack
from functools import partial

import sqlalchemy as sa

from ..errors import ApprovalError, GateError, StoreRejectedError, TrueupError
from ..ledger import lease_seconds
from ..run import StepName, order
from ..run.schema_records import Hop
from ..stores import Fence
from ..stores.postgres.locks import kept, locked
from ..write import approval
from . import describe, gates, plan
from .history import Revision
from .preflight import heads_of, where
from .run import SchemaRun, named

log = logging.getLogger(__name__)
SHORTEST_IDLE_SECONDS = 10.0
"""A revision's code may do other things for so long between two statements, however short the lease is."""


def apply(run: SchemaRun) -> dict[str, int]:
    """Run what is left of the run's revisions, each in a transaction of its own, with a gate after each phase; revisions
    run, by database. Run again after a failure, it goes on where the databases are.

    Raises `ApprovalError` unless what would run now is what was approved; `GateError`, `TargetHeldError`,
    `StoreUnavailableError` (a lock that is not free, say) and `StoreRejectedError`; each says which database is where."""
    done = dict.fromkeys(run.histories, 0)
    with ExitStack() as held:
        fence = held.enter_context(run.writing(held.enter_context(run.part(StepName.APPLY))))
        approval.require(run, StepName.APPLY)
        plan.check_age(run)
        try:
            first: gates.Looked | None = _looked(run)
            for hop in run.files.start.hops:
                if gates.passed(run, hop):  # by an interrupted try of this run
                    first = None
                    continue
                before = _looked(run, hop, first)
                for database in run.histories:
                    with run.part(StepName.APPLY, database, phase=hop):
                        done[database] += _to_phase(run, database, hop, fence)
                _gate(run, hop, before)
                first = None
        except TrueupError as error:
            raise type(error)(f"{str(error).rstrip('. ')}. {_now(run)}") from error
    return done


def _now(run: SchemaRun) -> str:
    try:
        return f"Now {where(run, {d: heads_of(run, d) for d in run.histories})}."
    except TrueupError as error:
        return f"Which database is where is not known: {error}"


def _looked(run: SchemaRun, phase: Hop | None = None, known: gates.Looked | None = None) -> gates.Looked:
    """The databases as they were when the run first came here, before that phase or before its first change: as published
    then, or as they are now."""
    saved = run.files.states(phase)
    if saved is None:
        looked = known or gates.look(run)
        run.files.write_states(gates.save(looked), phase)
        return looked
    return gates.load(saved)


def _to_phase(run: SchemaRun, database: str, hop: Hop, fence: Fence) -> int:
    history, every = run.histories[database], run.revisions(database)
    heads = heads_of(run, database)
    begun = plan.ran(run, database, heads)
    steps = run.steps_of(database, heads, hop)
    if begun is None or every[begun : begun + len(steps)] != steps:
        raise ApprovalError(
            f"{database} is at revision {', '.join(heads) or 'none'}, where this run did not bring it, so nothing more is run"
        )
    for number, step in enumerate(steps, begun + 1):
        fence.check()
        run.files.begin_revision(database, number)
        doing = f"run {step.name}"
        # ended by the server, where this process is stopped in it, before another run may take its lease
        idle = max(SHORTEST_IDLE_SECONDS, lease_seconds() / 2)
        waits = run.migration.lock_timeout
        with describe.connected(run.uri_of(database), doing, lock_timeout=waits, idle=idle) as connection:
            kept(fence, lambda locks: connection.exec_driver_sql(locks.as_string(None)), describe.pid(connection))
            history.run(connection, step, partial(_first, run, connection, step, sorted(heads), fence), fence.check)
        heads = history.after(heads, step)
        log.info("%s: done", step.name)
    return len(steps)


def _first(run: SchemaRun, connection: sa.Connection, step: Revision, heads: list[str], fence: Fence) -> None:
    """In the revision's transaction, before it: nobody newer changes the database, which is where the plan has it, and holds
    what was backed up."""
    locked(fence, lambda locks: connection.exec_driver_sql(locks.as_string(None)))
    now = run.histories[step.database].heads(connection)
    if sorted(now) != heads:
        raise StoreRejectedError(
            f"{step.name} was not run, because somebody else has brought the database to revision "
            f"{', '.join(now) or 'none'}"
        )
    _same_as_backup(run, connection, step)


def _same_as_backup(run: SchemaRun, connection: sa.Connection, step: Revision) -> None:
    """Before what may lose rows: lock the tables that were backed up, and see that they hold what the backup holds.

    Raises `StoreRejectedError` for rows that were written since."""
    if step.up and not step.breaking:
        return
    schema = describe.schema(connection, run.migration.history(step.database).version_table)
    held = {
        table: describe.Rows(each.count, dict(each.checksums), {})
        for table, each in run.backed_up(step.database).held.items()
        if ("table", table) in schema
    }
    for table in held:
        connection.exec_driver_sql(f"LOCK TABLE {describe.qualified(table)} IN ACCESS EXCLUSIVE MODE")
    now = describe.rows(connection, {key: d for key, d in schema.items() if d.table in held})
    if lost := describe.rows_lost(held, now):
        raise StoreRejectedError(
            f"{step.name} was not run, because rows were written since the backup: {'; '.join(lost)}. Stop the "
            "writers, and start another run"
        )


def _gate(run: SchemaRun, hop: Hop, before: gates.Looked) -> None:
    after = gates.look(run)
    for database in run.histories:
        if not run.is_at(database, heads_of(run, database), hop):
            raise GateError(f"{database} did not reach {named(hop)}")
    start = run.files.start
    if not isinstance(hop, int):
        gates.revisions_gate(run, before, after)
    elif start.phase is not None:  # else out of step before: there is no single phase to judge
        gates.phase_gate(run, hop, before, after, up=hop > start.phase)


def gate(run: SchemaRun) -> dict[str, int]:
    """Judge the whole run, from databases that are read again; the tables that were compared, by database."""
    with run.part(StepName.GATE):
        order.require(run, "gate")
        before, after = _looked(run), gates.look(run)
        at = {d: run.is_at(d, heads_of(run, d), run.target) for d in run.histories}
        gates.whole_gate(run, before, after, at)
    return {d: len(rows) for d, (_, rows) in after.items()}
