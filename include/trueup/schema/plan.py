"""The plan of a schema run, and its name: a hash of what would run, where, from which revisions, and of what would go.

Covered are, for each database: which one it is, as its server says; the revisions that it is at; the SQL of each revision
that will run, and its way; the tables and columns that go, with their rows. Not the run's id, its time, mode, approval,
lint, locks or seconds: made again with nothing changed, it has the same name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pydantic import JsonValue

from ..errors import ApprovalError, ArtifactError
from ..ledger import RunRow
from ..ledger.decisions import Decision
from ..plan.hashing import hash_of
from ..run import Mode, StepName, order, to_values
from ..run.schema_records import (
    Covered,
    CoveredRevision,
    CoveredWithRows,
    LintFinding,
    PlannedDatabase,
    PlannedRevision,
    Rehearsed,
    SchemaPlan,
)
from ..write import approval
from ..write.approval import Plans
from . import describe
from .history import Revision
from .run import SchemaRun, named

FORMAT = 1
"""Of what is hashed."""


def cover(identity: str, heads: Sequence[str], steps: Sequence[tuple[Revision, str]]) -> Covered:
    """What the hash covers of one database but its rows, given its revisions with their SQL."""
    covered = tuple(CoveredRevision(revision=step.revision, up=step.up, sql=sql) for step, sql in steps)
    return Covered(identity=identity, heads=tuple(sorted(heads)), steps=covered)


def sha256_of(covered: Covered) -> str:
    """By what lint and rehearsal say which of it they looked at."""
    return hash_of(to_values(covered))


def covered(run: SchemaRun, database: str) -> Covered:
    """The same, of a database as it is now. What this run itself has run counts as not run yet."""
    history = run.histories[database]
    with describe.connected(run.uri_of(database), f"look at {database}") as connection:
        identity, heads = describe.identity(connection), history.heads(connection)
    if ran(run, database, heads) is not None:
        heads = run.files.start.heads[database]
    steps, at = [], heads
    for step in run.revisions_from(database, heads):
        steps.append((step, history.sql(step, at)))
        at = history.after(at, step)
    return cover(identity, heads, steps)


def ran(run: SchemaRun, database: str, heads: Sequence[str]) -> int | None:
    """How many of its steps this run has run on a database that is at those heads; None where it was not the run that
    brought it there. The run notes each step before it begins it, so that it may be one less than was noted."""
    noted = run.files.revisions_begun.get(database, 0)
    history, steps = run.histories[database], run.revisions(database)
    at: Sequence[str] = run.files.start.heads[database]
    last = None
    for number in range(noted + 1):
        if number >= noted - 1 and sorted(at) == sorted(heads):
            last = number
        if number < noted:
            at = history.after(at, steps[number])
    return last


def _going(run: SchemaRun, database: str) -> Mapping[str, int]:
    """What goes with the revisions, and its rows (values) as they are now; once the run has begun, as they were."""
    lost = run.rehearsed(database).lost
    if not lost or run.files.revisions_begun.get(database):
        return lost
    with describe.connected(run.uri_of(database), f"count what goes from {database}") as connection:
        described = describe.schema(connection, run.migration.history(database).version_table)
        keys = [(*what.partition(" ")[::2],) for what in lost]
        return {f"{kind} {name}": describe.held(connection, described, kind, name) for kind, name in keys}


def name(run: SchemaRun) -> tuple[str, dict[str, CoveredWithRows]]:
    """The hash of the plan as it would be carried out now, and what it is over, by database."""
    databases = {}
    for database in run.histories:
        now = covered(run, database)
        going = _going(run, database)
        databases[database] = CoveredWithRows(identity=now.identity, heads=now.heads, steps=now.steps, going=going)
    values: dict[str, JsonValue] = {database: to_values(each) for database, each in databases.items()}
    return hash_of({"format": FORMAT, "migration": run.migration.id, "databases": values}), databases


def make(run: SchemaRun) -> SchemaPlan:
    """Make the run's plan, publish it, and enter its hash in the ledger.

    Raises `ApprovalError` where what was linted and rehearsed is not what would run now."""
    with run.part(StepName.APPROVE) as part:
        order.require(run, StepName.APPROVE)
        sha256, covers = name(run)
        plan = SchemaPlan(
            sha256=sha256,
            created_at=run.effects.now().isoformat(timespec="seconds"),
            from_phase=run.files.start.phase,
            target_phase=target if isinstance(target := run.target, int) else None,
            target_revision=run.options.target_revision,
            databases={database: _planned(run, database, each) for database, each in covers.items()},
        )
        run.files.write_schema_plan(plan)
        run.ledger.planned(run.id, sha256, by=part.this)
        return plan


def _planned(run: SchemaRun, database: str, now: CoveredWithRows) -> PlannedDatabase:
    """What is to be done to a database, if lint and rehearsal looked at the same."""
    linted, rehearsed = run.linted, run.rehearsed(database)
    sha256 = sha256_of(Covered(identity=now.identity, heads=now.heads, steps=now.steps))
    for step, was in ((StepName.LINT, linted.covers.get(database)), (StepName.REHEARSE, rehearsed.covers)):
        if was != sha256:
            raise ApprovalError(
                f"{database} or its revisions changed since the step {step.value!r} looked at them (was {was}, is {sha256}), so "
                "nobody is asked and nothing changed: trigger the DAG again"
            )
    findings = [finding for finding in linted.findings if finding.database == database]
    steps = tuple(
        _shown(step, covers, findings, rehearsed, now.going)
        for step, covers in zip(run.revisions(database), now.steps, strict=True)
    )
    return PlannedDatabase(identity=now.identity, heads=now.heads, steps=steps, going=now.going)


def _shown(
    step: Revision,
    covers: CoveredRevision,
    findings: Sequence[LintFinding],
    rehearsed: Rehearsed,
    going: Mapping[str, int],
) -> PlannedRevision:
    """What a person is shown of a revision: SQL, lint, locks and seconds of the rehearsal, what goes."""
    measured = {(m.revision, m.up): m for m in rehearsed.measured}[step.revision, step.up]
    return PlannedRevision(
        revision=covers.revision,
        up=covers.up,
        sql=covers.sql,
        title=step.title,
        phase=step.phase,
        breaking=step.breaking,
        locks=step.locks,
        irreversible=step.irreversible,
        findings=tuple(f for f in findings if (f.revision, f.way) == (step.revision, step.way)),
        seconds=measured.seconds,
        locked=measured.locked,
        goes={what: going[what] for what in measured.lost},
    )


def waive(run: SchemaRun) -> str:
    """Make the run's plan and, in mode apply, enter that nobody is asked; its hash. Raises `ApprovalError`, also for a run
    that asks, and for what goes down and was not named."""
    made = make(run)
    return made.sha256 if run.options.mode is Mode.PLAN else approval.waive(run)


def same(run: SchemaRun, row: RunRow) -> str:
    """The hash of the run's plan: computed again, and the same in the workspace and in the ledger. Raises `ApprovalError`
    where it is another, with both hashes."""
    sha256, covers = name(run)
    plan = run.files.schema_plan
    for where, other in (("the workspace", plan and plan.sha256), ("the ledger", row.plan_sha256)):
        if other != sha256:
            changed = "; ".join(_changed(plan.databases if plan else {}, covers)) or "it was made again"
            raise ApprovalError(
                f"what run {run.id} would run now is plan {sha256}, and the plan that was made and shown is {other} ({where}): "
                f"{changed}. Nothing more is run: trigger the DAG again"
            )
    return sha256


def _changed(planned: Mapping[str, PlannedDatabase], now: Mapping[str, CoveredWithRows]) -> list[str]:
    """What is other than it was planned, in words."""
    changes = []
    for database, is_ in now.items():
        was = planned.get(database)
        if was is None:
            continue
        if was.identity != is_.identity:
            changes.append(f"{database}: it is another database (was {was.identity}, is {is_.identity})")
        if was.heads != is_.heads:
            changes.append(f"{database}: its revision (was {', '.join(was.heads)}, is {', '.join(is_.heads)})")
        if was.going != is_.going:
            changes.append(f"{database}: what goes (was {words(was.going)}, is {words(is_.going)})")
        sql = [{(s.revision, s.up, s.sql) for s in steps} for steps in (was.steps, is_.steps)]
        if other := sorted({revision for revision, _, _ in sql[0] ^ sql[1]}):
            changes.append(f"{database}: the SQL of the revisions {', '.join(other)}, or which of them run")
    return changes


def check_age(run: SchemaRun) -> None:
    """Raise `ApprovalError` if the plan is older than the run allows, and no revision of it has begun."""
    if not run.files.revisions_begun:
        approval.check_age(run)


def going(run: SchemaRun) -> list[str]:
    """What the run drops, in words: tables with their rows, columns with their values, as its plan (before it, its
    rehearsals) counted them."""
    plan = run.files.schema_plan
    if plan is None:
        lost = {m.part: m.facts["lost"] for m in run.folder.manifests(StepName.REHEARSE)}
    else:
        lost = {database: planned.going for database, planned in plan.databases.items()}
    return [f"{database}: {loss}" for database, all_ in lost.items() for loss in words(all_)]


def words(lost: Mapping[str, int]) -> list[str]:
    """Each of what goes, with how much of it."""
    return [f"{what} ({n:,} {'rows' if what.startswith('table ') else 'values'})" for what, n in lost.items()]


def _plan(run: SchemaRun) -> SchemaPlan:
    plan = run.files.schema_plan
    if plan is None:
        raise ArtifactError(f"run {run.id} has no plan: clear the task approve, which makes it")
    return plan


def _asks(run: SchemaRun) -> bool:
    return run.options.approval and bool(_plan(run).revisions)


def _unasked(run: SchemaRun, sha256: str) -> Decision:
    """Up is waived. What goes down, or drops what is in use, needs its hash. Raises `ApprovalError`."""
    down, lost = any(not revision.up for revision in _plan(run).revisions), going(run)
    if not down and not lost:
        return "waived"
    given = run.options.approve_down
    if given == sha256:
        return "approved"
    other = f"approve_down names another plan, {given}" if given else "nobody has approved that"
    raise ApprovalError(
        f"going to {named(run.target)} drops what may be in use, and {other}: {'; '.join(lost) or 'no rows'}. Nothing was "
        f"changed. The plan is {sha256}: to go on, start a run that asks a person (approval), or one with approve_down set to "
        "that hash; what goes is backed up first"
    )


SCHEMAS = Plans(make=make, same=same, shown=_plan, asks=_asks, unasked=_unasked)
"""Of runs on schemas."""
