"""The plan of a schema run, and its name: a hash of what would run, where, from which revisions, and of what would go.

Covered are, for each database: which one it is, as its server says; the revisions that it is at; the SQL of each revision
that will run, and its way; the tables and columns that go, with their rows. Not the run's id, its time, mode, approval,
lint, locks or seconds: made again with nothing changed, it has the same name.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from ..errors import ApprovalError, GateError
from ..ledger import refuse_other
from ..ledger.decisions import Decision
from ..plan.hashing import hash_of
from ..run import Mode, StepName, order
from ..run.files import SCHEMA_PLAN, SCHEMA_PROGRESS
from ..run.order import refuse_ended
from ..write import approval
from ..write.approval import Plans, check_age
from . import describe
from .history import Revision
from .run import SchemaRun

FORMAT = 1
"""Of what is hashed."""


def cover(identity: str, heads: Sequence[str], steps: Sequence[tuple[Revision, str]]) -> dict[str, Any]:
    """What the hash covers of one database but its rows, given its steps with their SQL."""
    said = [{"revision": step.revision, "up": step.up, "sql": sql} for step, sql in steps]
    return {"identity": identity, "heads": sorted(heads), "steps": said}


def covered(run: SchemaRun, database: str) -> dict[str, Any]:
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
    noted = (run.folder.read_json(SCHEMA_PROGRESS) or {}).get(database, 0)
    history, steps = run.histories[database], run.revisions(database)
    at: Sequence[str] = run.files.start.heads[database]
    found = None
    for number in range(noted + 1):
        if number >= noted - 1 and sorted(at) == sorted(heads):
            found = number
        if number < noted:
            at = history.after(at, steps[number])
    return found


def _going(run: SchemaRun, database: str) -> dict[str, int]:
    """What goes with the steps, and its rows (values) as they are now; once the run has begun, as they were."""
    lost: dict[str, int] = run.manifest(StepName.REHEARSE, database).facts["lost"]
    if not lost or (run.folder.read_json(SCHEMA_PROGRESS) or {}).get(database):
        return lost
    with describe.connected(run.uri_of(database), f"count what goes from {database}") as connection:
        there = describe.schema(connection, run.migration.history(database).version_table)
        keys = [(*what.partition(" ")[::2],) for what in lost]
        return {f"{kind} {name}": describe.held(connection, there, kind, name) for kind, name in keys}


def name(run: SchemaRun) -> tuple[str, dict[str, Any]]:
    """The hash of the plan as it would be carried out now, and what it is over."""
    databases = {d: {**covered(run, d), "going": _going(run, d)} for d in run.histories}
    covers: dict[str, Any] = {"format": FORMAT, "migration": run.migration.id, "databases": databases}
    return hash_of(covers), covers


def make(run: SchemaRun) -> dict[str, Any]:
    """Make the run's plan, publish it, and enter its hash in the ledger; the plan.

    Raises `ApprovalError` where what was linted and rehearsed is not what would run now."""
    with run.part(StepName.APPROVE):
        order.require(run, StepName.APPROVE)
        sha256, covers = name(run)
        linted = run.manifest(StepName.LINT)
        rehearsed = {d: run.manifest(StepName.REHEARSE, d).facts for d in run.histories}
        databases: dict[str, Any] = {}
        for database, about in covers["databases"].items():
            now = hash_of({key: about[key] for key in ("identity", "heads", "steps")})
            for step, was in (("lint", linted.facts["covers"][database]), ("rehearse", rehearsed[database]["covers"])):
                if was != now:
                    raise ApprovalError(
                        f"{database} or its revisions changed since the step {step!r} looked at them (was {was}, is {now}), so "
                        "nobody is asked and nothing changed: trigger the DAG again"
                    )
            mine = [f for f in linted.facts["findings"] if f["database"] == database]
            databases[database] = {**about, "steps": _told(run, database, about, mine, rehearsed[database])}
        plan = {
            "sha256": sha256,
            "created_at": run.effects.now().isoformat(timespec="seconds"),
            "from_phase": run.files.start.phase,
            "target_phase": run.options.target_phase,
            "databases": databases,
        }
        run.folder.write(SCHEMA_PLAN, json.dumps(plan, indent=1))
        run.ledger.planned(run.id, sha256, step="approve")
        return plan


def _told(
    run: SchemaRun, database: str, about: dict[str, Any], findings: list[dict[str, Any]], rehearsed: dict[str, Any]
) -> list[dict[str, Any]]:
    """What a person is shown of each step: SQL, lint, locks and seconds of the rehearsal, what goes."""
    told = []
    measured = {(m["revision"], m["up"]): m for m in rehearsed["measured"]}
    for step, covers in zip(run.revisions(database), about["steps"], strict=True):
        way = "up" if step.up else "down"
        found = measured[step.revision, step.up]
        told.append(
            {
                **covers,
                **{n: getattr(step, n) for n in ("title", "phase", "breaking", "locks", "irreversible")},
                "findings": [f for f in findings if (f["revision"], f["way"]) == (step.revision, way)],
                "seconds": found["seconds"],
                "locked": found["locked"],
                "goes": {what: about["going"][what] for what in found["lost"]},
            }
        )
    return told


def waive(run: SchemaRun) -> str:
    """Make the run's plan and, in mode apply, enter that nobody is asked; its hash. Raises `ApprovalError`, also for a run
    that asks, and `GateError` for what goes down and was not named."""
    made: str = make(run)["sha256"]
    return made if run.options.mode is Mode.PLAN else approval.waive(run)


def gated(run: SchemaRun) -> str:
    """The hash of the run's plan: computed again, and the same in the workspace and in the ledger. Raises
    `ApprovalError` where it is another, with both hashes, or is too old."""
    run.ledger.ensure()
    row = run.ledger.entered(run.id)
    refuse_other(row, run.dag_id, run.airflow_run_id)
    refuse_ended(run, row.status)
    if not run.folder.read_json(SCHEMA_PROGRESS):
        check_age(run)
    order.require(run, StepName.APPROVE)
    sha256, covers = name(run)
    plan = run.folder.read_json(SCHEMA_PLAN) or {}
    for where, said in (("the workspace", plan.get("sha256")), ("the ledger", row.plan_sha256)):
        if said != sha256:
            changed = "; ".join(_changed(plan.get("databases") or {}, covers["databases"])) or "it was made again"
            raise ApprovalError(
                f"what run {run.id} would run now is plan {sha256}, and the plan that was made and shown is {said} ({where}): "
                f"{changed}. Nothing more is run: trigger the DAG again"
            )
    return sha256


def _changed(planned: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """What is other than it was planned, in words."""
    said = []
    for database, about in now.items():
        was = planned.get(database)
        if was is None:
            continue
        for key, what in (("identity", "it is another database"), ("heads", "its revision")):
            if was[key] != about[key]:
                said.append(f"{database}: {what} (was {was[key]}, is {about[key]})")
        if was["going"] != about["going"]:
            said.append(f"{database}: what goes (was {words(was['going'])}, is {words(about['going'])})")
        sql = [[(s["revision"], s["up"], s["sql"]) for s in steps] for steps in (was["steps"], about["steps"])]
        other = sorted({revision for revision, _, _ in set(sql[0]) ^ set(sql[1])})
        if other:
            said.append(f"{database}: the SQL of the revisions {', '.join(other)}, or which of them run")
    return said


def require(run: SchemaRun, step: str) -> None:
    """Raise `ApprovalError` unless this step may go on: somebody (or, where nobody is asked, a rule) decided for the plan
    as it is now, and every step before this one was done."""
    found = run.ledger.approvals.of(run.id)
    if found is None or found.decision == "rejected":
        how = "is not approved" if found is None else "was rejected"
        raise ApprovalError(f"the plan of run {run.id} {how}, so nothing is changed: trigger the DAG again")
    sha256 = gated(run)
    if found.plan_sha256 != sha256:
        raise ApprovalError(
            f"the plan of run {run.id} is {sha256}, not the plan that was approved, {found.plan_sha256}, so nothing is "
            "changed: trigger the DAG again"
        )
    order.require(run, step)


def going(run: SchemaRun) -> list[str]:
    """What the run drops, in words: tables with their rows, columns with their values, as its plan (before it, its
    rehearsals) counted them."""
    plan = run.folder.read_json(SCHEMA_PLAN)
    if plan is None:
        lost = {m.part: m.facts["lost"] for m in run.folder.manifests("rehearse")}
    else:
        lost = {database: about["going"] for database, about in plan["databases"].items()}
    return [f"{database}: {said}" for database, all_ in lost.items() for said in words(all_)]


def words(lost: dict[str, int]) -> list[str]:
    """Each of what goes, with how much of it."""
    return [f"{what} ({n:,} {'rows' if what.startswith('table ') else 'values'})" for what, n in lost.items()]


def _steps(run: SchemaRun) -> list[dict[str, Any]]:
    plan = run.folder.read_json(SCHEMA_PLAN)
    return [step for about in plan["databases"].values() for step in about["steps"]]


def _asks(run: SchemaRun) -> bool:
    return run.options.approval and bool(_steps(run))


def _unasked(run: SchemaRun, sha256: str) -> Decision:
    """Up is waived. What goes down, or drops what is in use, needs its hash. Raises `GateError`."""
    down, lost = any(not step["up"] for step in _steps(run)), going(run)
    if not down and not lost:
        return "waived"
    named = run.options.approve_down
    if named == sha256:
        return "approved"
    other = f"approve_down names another plan, {named}" if named else "nobody has approved that"
    raise GateError(
        f"going to phase {run.options.target_phase} drops what may be in use, and {other}: {'; '.join(lost) or 'no rows'}. Nothing was "
        f"changed. The plan is {sha256}: to go on, start a run that asks a person (approval), or one with approve_down set to "
        "that hash; what goes is backed up first"
    )


SCHEMAS = Plans(gated=gated, make=make, shown=SCHEMA_PLAN, asks=_asks, unasked=_unasked)
"""Of runs on schemas."""
