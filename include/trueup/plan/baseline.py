"""Baseline: what Trueup knows to have written, so that a run can tell its own rows from what somebody else made of them.

Each run in mode apply publishes, with its plan, `baseline/<target>/p<partition>.parquet`: `_key`; `hash`, of the columns
that the migration writes of that row; `place`, whose remainder is the row's partition; `added`, whether Trueup added
the row; `there`: `seen` (the row was there with that content), `planned` (this run means to write it), `no` (neither,
or it is to be removed). A key has a row for each content that is Trueup's: what this run found (the first one: in the
whole target, so that what was there before all runs is nobody's change) and what it plans. A row whose hash is none of
its key's is somebody else's work. What a run wrote and then found otherwise than planned is in the files of its proof
(`prove/verify.py`), and is Trueup's, too.
"""

from __future__ import annotations

import logging
from collections.abc import Container
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from ..declare.migration import Target
from ..declare.names import BEFORE, IS, KEY, KNOWN, PLANNED, own
from ..errors import ArtifactError
from ..ledger import RunRow, Status
from ..rows import duck
from ..rows.statements import Statements
from ..run import Baseline, Mode, Part, Run, Session, StepName, earlier, entered
from ..run.files import BASELINE_FILES, FORMER_BASELINE_FILES, PROOF_FILES
from ..run.workspace import Artifact
from ..stores import arrow_schema
from . import set_off
from .files import compared

log = logging.getLogger(__name__)

_BASELINE, _COVERED, _READ_BACK, _SET_OFF = own("baseline"), own("covered"), own("read_back"), own("set_off")

_SQL = Statements(__file__, covered=_COVERED, read_back=_READ_BACK)
_SCHEMA = pa.schema(
    {KEY: pa.string(), "hash": pa.string(), "place": pa.uint64(), "added": pa.bool_(), "there": pa.string()}
)


def previous(run: Run) -> Baseline | None:
    """The plan whose baseline this run plans from: its run's id, its `partitions`, the `attempt` of the run that it is of where
    that run has begun again since (else None), and whether the run is `proven`; None if there is none, or in mode verify,
    where every difference counts whoever made it.

    It is the last plan in mode apply that its run began to apply: one that was stopped before, such as by its gate for a
    lost baseline, knows nothing that is true of the target. This run's own is included where it begins again: what it wrote
    then is its own. Of runs at the end that are rolled back it is the first, and of that run's plans the first, too: its
    baseline has the rows as it found them, which is how the rollbacks left them. A plan that lies between a run and its
    rollback counts for nothing then: it wrote nothing, or the rollback would have been refused, and has seen the rows as
    they are no more.
    """
    if run.options.mode is Mode.VERIFY:
        return None
    rows = run.ledger.runs(run.migration.id)
    undone_at = {
        row.undoes: row.planned_at or row.started_at
        for row in rows
        if row.undoes is not None and row.status == Status.PROVEN
    }
    plans = [
        (plan, row)
        for row in rows
        if row.undoes is None and row.mode == Mode.APPLY
        for plan in [_last_plan(run, row)]
        if plan is not None
    ]
    undone = [
        (plan.at, undone_at[row.run_id])
        for plan, row in plans
        if row.status == Status.ROLLED_BACK and row.run_id in undone_at
    ]
    chosen: Baseline | None = None
    for plan, row in sorted(plans, key=lambda each: each[0].at, reverse=True):
        if plan.attempt is None and not earlier.begun_to_apply(run.ledger, row.run_id):
            continue
        if row.status != Status.ROLLED_BACK and any(began < plan.at < ended for began, ended in undone):
            continue
        if row.status != Status.ROLLED_BACK and chosen is not None:
            break
        if row.status == Status.ROLLED_BACK:
            plan = next(iter(_earlier(run, row)), plan)
        proven = row.status == Status.PROVEN and plan.attempt is None
        chosen = Baseline(run=row.run_id, partitions=plan.partitions, attempt=plan.attempt, proven=proven)
        if row.status != Status.ROLLED_BACK:
            break
    return chosen


@dataclass(frozen=True, kw_only=True)
class _Plan:
    at: datetime
    partitions: int
    attempt: int | None


def _last_plan(run: Run, row: RunRow) -> _Plan | None:
    """The last plan of a run that has left a baseline; of a run that began again, the last one that it had begun to write."""
    begun = row.attempt == 1 or earlier.begun_to_apply(run.ledger, row.run_id)
    if row.plan_sha256 is not None and row.partitions is not None and row.run_id != run.id and begun:
        return _Plan(at=row.planned_at or row.started_at, partitions=row.partitions, attempt=None)
    return next(iter(_earlier(run, row)[::-1]), None)


def _earlier(run: Run, row: RunRow) -> list[_Plan]:
    """The plans that a run had begun to write before it began again, the first one first."""
    kept = earlier.plans(run.workspace.run(row.run_id), row.attempt)
    return [_Plan(at=datetime.fromisoformat(k.at), partitions=k.partitions, attempt=k.attempt) for k in kept]


def relate(session: Session, run: Run, target: Target, partition: int | None, only: str = "true") -> bool | None:
    """Make `baseline_<target>` a relation of one partition (None: of all), of rows of which `only` (SQL) holds: `_key`, `hash`,
    `place`, `added`, and `there`, whether a row is known to have been there; and `known_<target>` of its keys: `_key`,
    `hashes`, `added`, `there`.

    Whether it could be read; None where there is no previous run. A missing or altered baseline is logged and
    treated as empty."""
    baseline = run.files.start.baseline
    files: list[Path] = []
    readable: bool | None = None
    if baseline is not None:
        try:
            files, readable = session.fetch(_files(run, baseline, target, partition)), True
        except ArtifactError as error:
            log.warning("what others changed in %s is not known: %s", target.table.name, error)
            readable = False
    session.relate(_BASELINE, files, _SCHEMA)
    connection = session.connection
    was_there = "there = 'seen'" + (" OR there = 'planned'" if baseline and baseline.proven else "")
    here = "true" if partition is None else f"place % {run.partitions} = {partition}"
    names = {"baseline": duck.identifier(f"baseline_{target.id}"), "keys": duck.identifier(f"known_{target.id}")}
    connection.execute(_SQL("related", **names, there=was_there, files=_BASELINE, here=here, only=only))
    if baseline is not None and readable:
        _relate_read_back(session, run, baseline, target)
        connection.execute(_SQL("also_known", **names))
    connection.execute(_SQL("known", **names))
    return readable


def _relate_read_back(session: Session, run: Run, baseline: Baseline, target: Target) -> None:
    """The table `_READ_BACK` (key, hash): rows that the previous run wrote, and that it then found otherwise than planned, as
    when a trigger changes what is written, and what its writing set off, which is known also of a run that was killed
    before it read anything back. What a run wrote is its own, though its proof failed: nobody else's work."""
    folder = run.workspace.run(baseline.run)
    set_off.relate(session, _SET_OFF, folder, target)
    session.connection.execute(_SQL("set_off", set_off=_SET_OFF, hash=row_hash(target, PLANNED)))
    for phase in run.migration.phases:
        of_target = [output.name for output in phase.outputs if output.target == target.id]
        manifests = folder.manifests(entered(StepName.VERIFY, phase.id))
        for name in of_target:
            for file in PROOF_FILES.among(manifests, name):
                if file.rows:
                    (local,) = session.fetch([replace(file, run=baseline.run)])
                    if "hash" in pq.read_schema(local).names:  # proofs of the first release have none
                        session.connection.execute(_SQL("read_back", proof=duck.parquet([local], None)))


def _files(run: Run, baseline: Baseline, target: Target, partition: int | None) -> list[Artifact]:
    folder, count = run.workspace.run(baseline.run), baseline.partitions
    wanted = range(count) if partition is None or count != run.partitions else [partition]
    if (attempt := baseline.attempt) is not None:
        (chosen,) = [k for k in earlier.plans(folder, attempt + 1) if k.attempt == attempt]
        names = {file.path for file in chosen.files}
        return [chosen.file(folder, _named(target, number, names)) for number in wanted]
    published = {file.path: file for m in folder.manifests(StepName.PLAN, count) for file in m.files}
    paths = [_named(target, number, published) for number in wanted]
    if missing := [each for each in paths if each not in published]:
        raise ArtifactError(f"run {baseline.run} left no {missing[0]}")
    return [replace(published[each], run=baseline.run) for each in paths]


def _named(target: Target, partition: int, names: Container[str]) -> str:
    former = FORMER_BASELINE_FILES.part(target.id, partition)
    return former if former in names else BASELINE_FILES.part(target.id, partition)


def row_hash(target: Target, row: str, *, whole: bool = False) -> str:
    """SQL: the hash of what the migration writes of a row in canonical form (`whole`: of all of it): of each value's
    length, `:`, and the value; of null, `:` alone, since `concat` leaves nulls out."""
    names = (not whole and target.owned) or [field.name for field in arrow_schema(target.table)]
    values = ((name, f"{row}.{duck.identifier(name)}") for name in names)
    texts = (f"CAST({compared(target, name, value)} AS VARCHAR)" for name, value in values)
    return f"md5(concat({', '.join(f'strlen({text}), chr(58), {text}' for text in texts)}))"


def relate_became(session: Session, run: Run, target: Target) -> None:
    """The table `became_<target>` (key, hash): rows that the run wrote, as what that set off left them."""
    set_off.relate(session, _SET_OFF, run.folder, target)
    became_table, hash_ = duck.identifier(f"became_{target.id}"), row_hash(target, PLANNED, whole=True)
    session.connection.execute(_SQL("became", became=became_table, set_off=_SET_OFF, hash=hash_))


def became(target: Target, key: str, row: str) -> str:
    """SQL: whether a row with that key is as the run of `relate_became` left it otherwise than planned."""
    forms = f"SELECT (key, hash) FROM {duck.identifier(f'became_{target.id}')}"
    return f"coalesce(({key}, {row_hash(target, row, whole=True)}) IN ({forms}), false)"


def is_ours(target: Target, row: str, known: str) -> str:
    """SQL: whether a row is as Trueup found or wrote it; `known` is the row of `known_<target>`, if any. Of a row that is
    not known: in a table that is the migration's, somebody else made it; where it owns columns only, a row is new."""
    unknown = "false" if target.owned is None else "true"
    return f"coalesce(list_contains({known}.hashes, {row_hash(target, row)}), {unknown})"


def write(part: Part, run: Run, target: Target, partition: int, checked: bool) -> None:
    """Write the baseline of this run, of the shape of `_SCHEMA`. For planned rows it is what was found, where that is Trueup's, and
    what is planned; for rows that somebody else changed, and for keys that the plan does not cover, what was known
    before. Without a baseline (not `checked`), what was found counts as Trueup's, also of keys that the plan does not cover (outside
    the window, extra): a later run that comes to them finds them as they were, and no drift. Needs `plan_<output>`, `is_<target>`,
    `rest_<target>`."""
    plans = (duck.identifier(f"plan_{output.name}") for output in run.migration.outputs(target.id))
    covered = _SQL(
        "covered",
        hash_planned=row_hash(target, PLANNED),
        hash_found=row_hash(target, f"{PLANNED}.{BEFORE}"),
        keeps_all=_keeps_all(run, target),
        ours=is_ours(target, f"{PLANNED}.{BEFORE}", KNOWN) if checked else "true",
        placed=duck.place(target.placed_by),
        plans=" UNION ALL ".join(f"FROM {name}" for name in plans),
        keys=duck.identifier(f"known_{target.id}"),
    )
    part.connection.execute(covered)
    names = {"baseline": duck.identifier(f"baseline_{target.id}"), "rest": duck.identifier(f"rest_{target.id}")}
    others = ""
    if not checked and target.owned is None:  # where it owns columns only, what is not known is never drift
        is_there, placed = duck.identifier(f"is_{target.id}"), duck.place(target.placed_by)
        others = _SQL("found", hash=row_hash(target, IS), placed=placed, there=is_there)
    part.write(BASELINE_FILES.part(target.id, partition), _SQL("next", **names, and_found=others))


def _keeps_all(run: Run, target: Target) -> str:
    """SQL: whether rows of the target may be kept though they are not as planned."""
    writers = [p for p in run.migration.phases if target.id in {o.target for o in p.outputs}]
    return "true" if any(p.keeps_existing for p in writers) else "false"
