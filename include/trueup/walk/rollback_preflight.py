"""The preflight of a rollback: which run is undone, and whether it may be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from pydantic import JsonValue

from ..declare.migration import Target
from ..errors import ArtifactError, OptionsError, SourceError, StatusError
from ..ledger import Ledger, RunRow, Status, SwitchState
from ..ledger.latest import last_written_first
from ..plan import hashing, target_checks
from ..plan.files import ADD
from ..run import LAST, Mode, Options, Run, Start, earlier, files, former_run_id, run_id
from ..run.begin import begin
from ..run.facts import planned
from ..run.files import PLAN_FILES
from ..run.where import of_migration
from ..stores import Description
from ..write import tables_there
from .preflight import look_at_target


def preflight(run: Run, triggered_by: str | None = None) -> Options:
    """Choose the run to undo (`Run.undoes`: its id in the ledger, Airflow's id of it, or `LAST`), enter the rollback in
    the ledger, take the hold on the targets; the options, with as many partitions as the undone run had.

    Raises `OptionsError` for a run that is none of the migration's, `StatusError` for one that may not be undone,
    `ArtifactError` if its plan is gone, `SourceError` if a target is, `TargetHeldError`.
    """

    chosen: list[RunRow | None] = []

    def choose(run: Run) -> RunRow | None:
        chosen[:] = [_find(run)]
        return chosen[0]

    def allowed(run: Run) -> Run:
        # the one that it was entered with: another one may be the last by now
        return replace(run, undoes=_refuse(run, chosen[0] and run.ledger.run(chosen[0].run_id)).run_id)

    return begin(run, triggered_by, _choose, undoes=choose, allowed=allowed).row_options


def _choose(run: Run) -> Start:
    """What is there, with as many partitions as the undone run had, and as many segments unless others are asked for."""
    undone = run.ledger.entered(str(run.undoes))
    _check_over(run)
    _check_plan(run, undone)
    looked = {target.id: _look_at(run, target) for target in run.migration.targets}
    had = Options.from_json(undone.options)
    partitions, segments = run.undone.partitions, run.options.segments or had.segments or 1
    return Start(
        options=replace(run.options, partitions=partitions, segments=segments),
        undoes=run.undoes,
        targets_present=tuple(t.id for t in run.migration.targets),
        batch_rows={t.id: target_checks.batch_rows(run, t, looked[t.id]) for t in run.migration.targets},
        tables={t.id: tables_there.name_of(run, t, looked[t.id]) for t in run.migration.targets},
        targets=target_checks.facts(looked),
        where=of_migration(run.migration, run.store),
    )


def _look_at(run: Run, target: Target) -> Description:
    """The target's table. Raises `SourceError` where what was written into it cannot be taken back, or only with more."""
    description = look_at_target(run, target)
    if description is None:
        raise SourceError(
            f"table {target.table.name!r} does not exist any more, so what run {run.undoes} wrote into it "
            "cannot be undone row by row"
        )
    if run.options.mode is Mode.APPLY and _added(run, target):
        what = f"table {target.table.name!r} (target {target.id!r}, connection {target.table.connection!r})"
        target_checks.refuse_irremovable(run, what, description)
    return description


def _added(run: Run, target: Target) -> bool:
    """Whether the run that is undone was to add rows to the target."""
    undone = run.undone
    row = run.ledger.entered(undone.id)
    if row.plan_sha256 is None or earlier.plans(undone.folder, row.attempt):
        return True  # by one of several plans: it may have been
    names = {output.name for output in run.migration.outputs(target.id)}
    return any(part.outputs[name].verbs[ADD] for part in planned(undone) for name in names)


def _find(run: Run) -> RunRow | None:
    """The run that is meant, if there is one; at another try of the same rollback, the same one. Raises `OptionsError` where that is
    to undo another one by now: Airflow has deleted it, and it was triggered anew under its name."""
    entered = run.ledger.run(run.id)
    before = None if entered is None or entered.undoes is None else run.ledger.run(entered.undoes)
    if run.undoes in (None, LAST):
        return last_that_wrote(run.ledger, run.migration.id) if before is None else before
    meant = _named(run)
    if before is not None and (meant is None or meant.run_id != before.run_id):
        raise OptionsError(
            f"run {run.id} is entered as a rollback of run {before.run_id}, and {run.undoes!r} is another one: trigger the DAG again "
            "under another run id"
        )
    return meant


def _named(run: Run) -> RunRow | None:
    named = str(run.undoes)
    former = former_run_id(run.migration.id, named)
    names = (named, run_id(run.migration.id, named), former)
    rows = [row for name in names if (row := run.ledger.run(name)) is not None]
    # an id of the first release says nothing of a run that is known not to be it
    return next((r for r in rows if r.run_id != former or r.airflow_run_id in (None, named)), None)


def last_that_wrote(ledger: Ledger, migration_id: str) -> RunRow | None:
    """The run that a rollback undoes where none is named: the last that wrote rows and is not rolled back."""
    writers = (r for r in last_written_first(ledger, migration_id) if _wrote(ledger, r))
    return next((r for r in writers if r.status != Status.ROLLED_BACK), None)


def _wrote(ledger: Ledger, row: RunRow) -> bool:
    """Whether it is a run of the migration that wrote rows, or may have: one that was killed while it applied may have
    written a batch that is not in the ledger."""
    if row.undoes is not None or row.mode != Mode.APPLY:
        return False
    if ledger.written_ever(row.run_id):
        return True
    applying = (s for s in ledger.steps(row.run_id, ever=True) if s.step.startswith("apply/"))
    return any(s.ended_at is None or s.error is not None for s in applying)


def _refuse(run: Run, row: RunRow | None) -> RunRow:
    """The run, if it may be undone."""
    migration = run.migration.id
    if run.options.mode is Mode.VERIFY:
        raise OptionsError("a rollback has no mode verify; choose apply, or plan to see what it would do")
    if row is None and run.undoes in (None, LAST):
        raise StatusError(f"there is nothing to undo: no run of {migration} wrote rows and is not rolled back already")
    if row is None:
        raise OptionsError(f"there is no run {run.undoes!r} in the ledger; name one that the page of {migration} lists")
    id = row.run_id
    if row.migration_id != migration:
        raise OptionsError(f"run {id} is of {row.migration_id}, not of {migration}; trigger that one's rollback")
    if row.undoes is not None:
        raise OptionsError(f"run {id} is a rollback itself; to undo it, trigger {migration} again")
    if row.status == Status.ROLLED_BACK:
        raise StatusError(f"run {id} is rolled back already; there is nothing to undo")
    if not _wrote(run.ledger, row):
        raise StatusError(f"run {id} (mode {row.mode}) wrote nothing, so there is nothing to undo")
    refuse_relied_on(run.ledger, migration, id)
    return row


def refuse_relied_on(ledger: Ledger, migration_id: str, id: str) -> None:
    """Raise `StatusError` where a later run built on what run `id` wrote, or applications rely on it."""
    _refuse_built_on(ledger, migration_id, id)
    if ledger.switches.settled(migration_id) is SwitchState.NEW:
        raise StatusError(
            f"the switch of {migration_id} is new, so applications rely on what run {id} wrote; "
            f"cut back first: trigger {migration_id}_cutover with the state dual"
        )


def _refuse_built_on(ledger: Ledger, migration_id: str, id: str) -> None:
    for later in last_written_first(ledger, migration_id):
        if later.run_id == id:
            return
        if later.status != Status.ROLLED_BACK and _wrote(ledger, later):
            raise StatusError(f"run {later.run_id} built on run {id}; roll that one back first")


def _check_over(run: Run) -> None:
    """Raise `StatusError` if the run goes on. One that was killed has lost its lease to this one by now."""
    row = run.ledger.entered(str(run.undoes))
    if row.status == Status.RUNNING:
        raise StatusError(
            f"run {run.undoes} is still running; wait for it to end, or stop it, and trigger this DAG again"
        )


def _check_plan(run: Run, row: RunRow) -> None:
    undone = run.undone
    again = "without it nothing can be rolled back: bring the file back from a backup of the workspace"
    paths = {PLAN_FILES.part(o.name, n) for p in undone.phases for o in p.outputs for n in range(undone.partitions)}
    try:
        if row.plan_sha256 is not None:
            hashing.check_files(undone, row.plan_sha256, row.plan_files_sha256, _covers(undone, row.plan_sha256))
            _check_there(undone, None, paths)
        for former in earlier.plans(undone.folder, row.attempt):
            _check_there(undone, former.attempt, paths & {file.path for file in former.files})
    except ArtifactError as error:
        raise ArtifactError(f"{error}; {again}") from None


def _covers(undone: Run, sha256: str) -> Mapping[str, JsonValue] | None:
    """What the hash of its plan is over, by plan.json; or by the report, where an older try of the gate was just publishing
    another plan.json when the run was proven."""
    plan, report = undone.files.plan, undone.files.report
    if (plan is None or plan.sha256 != sha256) and report is not None:
        plan = report.plan
    return None if plan is None else plan.covers


def _check_there(undone: Run, attempt: int | None, paths: set[str]) -> None:
    """Raise `ArtifactError` unless all files of the plan are there, or of the one that the run had at that attempt."""

    def place(path: str) -> str:
        return path if attempt is None else files.earlier(attempt, path)

    plans = [PLAN_FILES.of(output.name) for phase in undone.phases for output in phase.outputs]
    published = {f"{plan}/{name}" for plan in plans for name in undone.folder.names(place(plan))}
    if missing := sorted(paths - published):
        raise ArtifactError(f"{undone.folder.location(place(missing[0]))} is missing")
