"""Roll back: the plan of a run, read backwards.

What run R wrote is taken from R's own plan, and compared with the targets as they are: a row that R added is removed, a
row that R changed or removed is put back as it was, each only if it still is as R left it. What somebody touched since
is `drift`: it is kept, and listed. The reverse plan is a plan like any other (`plan_files.py`), so that the steps that
gate, apply, prove and report it are the same.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from . import approval, duck
from .errors import ArtifactError
from .ledger import Status
from .model import Output, Phase, Target
from .names import EXTRA, KEY, MISTYPED, SOURCE_KEY
from .plan_files import (
    ADD,
    CHANGE,
    DRIFT,
    KEEP,
    REMOVE,
    WRITTEN,
    Made,
    differ,
    planned,
    relate_drifted,
    said,
    struct,
    unit_verb,
    write_findings,
    write_plan,
    write_rest,
)
from .run import Run
from .snapshot import before_files, files_of, source_schema
from .stores import arrow_schema
from .workspace import Manifest

TOUCHED_SINCE = "touched_since"
"""Code of the warning about a row that is kept because somebody touched it since the run that is undone."""


def undone_run(run: Run) -> Run:
    """The run that is undone, to read its files. Raises `ArtifactError` before preflight has chosen it."""
    found = None if run.undoes is None else run.ledger.run(run.undoes)
    if found is None:
        raise ArtifactError(f"run {run.id} has not been through preflight, so the run that it undoes is not chosen yet")
    options = replace(run.options, partitions=found["options"]["partitions"])
    return replace(run, id=found["run_id"], undoes=None, options=options)


def transform(run: Run, partition: int) -> dict[str, Any]:
    """Collect what the undone run wrote, of one partition, as `wrote/<output>/p<partition>.parquet`: the rows of its
    plan that it added, changed or removed, less those that it left alone as conflicts and those that the store refused;
    counts of them, by phase.

    Raises `ArtifactError` if its plan is missing, or is not of the columns that the migration declares now."""
    undone = undone_run(run)
    facts: dict[str, Any] = {}
    with run.ledger.step(run.id, "transform", str(partition)), run.workspace.scratch() as scratch:
        made: list[Made] = []
        with run.connect(scratch) as connection:
            for phase in run.phases:
                wrote = [_wrote(connection, run, undone, phase, output, partition, scratch) for output in phase.outputs]
                made += wrote
                paths = ", ".join(duck.literal(str(each.local)) for each in wrote)
                count = f"SELECT count(DISTINCT {SOURCE_KEY}) FROM read_parquet([{paths}])"
                rows = duck.count(connection, count)
                facts[phase.id] = {"source_rows": rows, "skipped": {}, "rejected": 0, "kept": 0, "unaccounted": 0}
        files = [each.publish(run) for each in made]
        run.folder.seal(Manifest(step="transform", part=f"{partition:03}", files=tuple(files), facts=facts))
    return facts


def _wrote(
    connection: duckdb.DuckDBPyConnection,
    run: Run,
    undone: Run,
    phase: Phase,
    output: Output,
    partition: int,
    scratch: Path,
) -> Made:
    target = run.migration.target(output.target)
    path = duck.literal(str(undone.folder.fetch(planned(undone, output.name, partition), scratch)))
    names = [field.name for field in arrow_schema(target.table)]
    there = {row[0] for row in connection.execute(f"DESCRIBE SELECT * FROM read_parquet({path})").fetchall()}
    if other := {*names} ^ (there - {"_verb", "_before", KEY, SOURCE_KEY}):
        raise ArtifactError(
            f"the plan of run {undone.id} has other columns of {target.table.name!r} than are declared now "
            f"({', '.join(sorted(other))}), so it cannot be read backwards; roll back with the code that made it"
        )
    ledger = run.ledger
    alone = [c["key"] for c in ledger.conflicts(undone.id, output.name, partition)]
    alone += [r["key"] for r in ledger.refused(undone.id, output.name, partition)]
    connection.register("_alone", pa.table({"key": pa.array(alone, pa.string())}))
    # what one source row makes of two targets is one unit; any other row is a unit, and is counted, of its own
    own = f"{duck.literal(output.name)} || ' ' || {KEY}"
    source = f"coalesce({SOURCE_KEY}, {own})" if phase.also else KEY
    columns = ", ".join(duck.identifier(name) for name in names)
    local = scratch / f"wrote-{output.name}.parquet"
    connection.execute(
        f"COPY (SELECT _verb, {KEY}, {source} AS {SOURCE_KEY}, {columns}, _before FROM read_parquet({path}) "
        f"ANTI JOIN _alone ON {KEY} = key WHERE _verb IN {WRITTEN}) "
        f"TO {duck.literal(str(local))} (FORMAT parquet, COMPRESSION zstd)"
    )
    rows = duck.count(connection, f"SELECT count(*) FROM read_parquet({duck.literal(str(local))})")
    return Made(local=local, path=f"wrote/{output.name}/p{partition:03}.parquet", rows=rows)


def plan(run: Run, partition: int) -> dict[str, Any]:
    """Give every row that the undone run wrote in one partition the verb that takes it back; rows by verb, by output,
    and by target those that are `rest`: rows that it did not write."""
    facts: dict[str, Any] = {"drift_checked": None}
    made: list[Made] = []
    with run.ledger.step(run.id, "plan", str(partition)), run.workspace.scratch() as scratch:
        wrote = run.folder.manifests("transform", run.partitions)
        snapshot = run.folder.manifests("snapshot", run.segments)
        with run.connect(scratch) as connection:
            for target in run.migration.targets:
                files = before_files(run, snapshot, target, partition, scratch)
                duck.relation(connection, f"is_{target.id}", files, source_schema(target.table))
            for phase in run.phases:
                for output in phase.outputs:
                    path = f"wrote/{output.name}/p{partition:03}.parquet"
                    files = [run.folder.fetch(f, scratch) for m in wrote for f in m.files if f.path == path]
                    duck.relation(connection, f"wrote_{output.name}", files, pa.schema([]))
                alone = (
                    f"SELECT w.{SOURCE_KEY} {_rows(output)} WHERE {_verb(run, phase, output)} = '{DRIFT}'"
                    for output in phase.outputs
                )
                relate_drifted(connection, phase, " UNION ".join(alone))
                for output in phase.outputs:
                    query = _planned(run, phase, output)
                    file, facts[output.name] = write_plan(connection, output, query, partition, scratch)
                    made.append(file)
                    findings = _findings(run, phase, output)
                    made += write_findings(connection, phase, output, [findings], partition, scratch)
            for target in run.migration.targets:
                outputs = run.migration.outputs(target.id)
                accounted = (f"SELECT {KEY} FROM {duck.identifier(f'wrote_{output.name}')}" for output in outputs)
                rest = write_rest(connection, target, " UNION ALL ".join(accounted), partition, scratch)
                facts[f"rest/{target.id}"] = {"rest": rest.rows, "extra": 0}
                made.append(rest)
        files_made = tuple(each.publish(run) for each in made)
        run.folder.seal(Manifest(step="plan", part=f"{partition:03}", files=files_made, facts=facts))
    return facts


def _rows(output: Output) -> str:
    """SQL: FROM what the undone run wrote (`w`), with what is (`i`), null where there is none."""
    wrote, found = duck.identifier(f"wrote_{output.name}"), duck.identifier(f"is_{output.target}")
    return f"FROM {wrote} w LEFT JOIN {found} i ON w.{KEY} = i.{KEY}"


def _put_back(target: Target) -> list[str]:
    """The columns of a changed row that are put back."""
    return [f.name for f in arrow_schema(target.table)] if target.owned is None else [*target.owned, MISTYPED]


def _verb(run: Run, phase: Phase, output: Output) -> str:
    """SQL: what takes back a row of `_rows`, looked at alone."""
    target = run.migration.target(output.target)
    names = [f.name for f in arrow_schema(target.table)]
    # of columns that the transform knows nothing of, a phase that keeps rows has not said what they should be
    added = differ(target, [n for n in names if n != EXTRA] if phase.keeps_existing else names, "w", "i")
    owned = _put_back(target)
    changed, as_before = differ(target, owned, "w", "i"), f"NOT {differ(target, owned, 'w._before', 'i')}"
    gone = f"i.{KEY} IS NULL"
    return f"""CASE w._verb
        WHEN '{ADD}' THEN CASE WHEN {gone} THEN '{KEEP}' WHEN {added} THEN '{DRIFT}' ELSE '{REMOVE}' END
        WHEN '{CHANGE}' THEN CASE WHEN {gone} THEN '{DRIFT}' WHEN {as_before} THEN '{KEEP}'
            WHEN {changed} THEN '{DRIFT}' ELSE '{CHANGE}' END
        ELSE CASE WHEN {gone} THEN '{ADD}' WHEN {differ(target, names, "w._before", "i")} THEN '{DRIFT}' ELSE '{KEEP}' END
    END"""


def _planned(run: Run, phase: Phase, output: Output) -> str:
    """SQL: the reverse plan of an output. The new row of what is not put back is the row that is, or was written."""
    target = run.migration.target(output.target)
    verb, owned = unit_verb(phase, _verb(run, phase, output), "w"), _put_back(target)
    columns = []
    for field in arrow_schema(target.table):
        name = duck.identifier(field.name)
        there = f"CASE WHEN i.{KEY} IS NULL THEN w.{name} ELSE i.{name} END"
        back = f"_verb = '{ADD}' OR (_verb = '{CHANGE}' AND {str(field.name in owned).lower()})"
        columns.append(f"CASE WHEN {back} THEN w._before.{name} ELSE {there} END AS {name}")
    before = f"CASE WHEN i.{KEY} IS NOT NULL THEN {struct(target, 'i')} END"
    return (
        f"SELECT _verb, w.{KEY}, w.{SOURCE_KEY}, {', '.join(columns)}, {before} AS _before "
        f"FROM (SELECT w, i, {verb} AS _verb {_rows(output)})"
    )


def _findings(run: Run, phase: Phase, output: Output) -> str:
    target = run.migration.target(output.target)
    plan = duck.identifier(f"plan_{output.name}")
    words = f"'was touched since run {run.undoes} wrote it, and is kept as it is'"
    if phase.also:
        alone = f"{_verb(run, phase, output)} = '{DRIFT}'"
        together = f"'is kept: run {run.undoes} wrote it in one transaction with a row that was touched since'"
        words = f"CASE WHEN {alone} THEN {words} ELSE {together} END"
    those = f"{_rows(output)} WHERE w.{KEY} IN (SELECT {KEY} FROM {plan} WHERE _verb = '{DRIFT}')"
    return said(target, "w", TOUCHED_SINCE, words, those)


def prepare(run: Run) -> None:
    """Make the targets ready to hold what they held before (`Target.undo`). Raises `ApprovalError`."""
    with run.ledger.step(run.id, "prepare", "0"), run.holding():
        approval.check_age(run)
        approval.require(run)
        for target in run.migration.targets:
            if target.undo is not None:
                run.store_of(target.table).script(target.undo.read_text(encoding="utf-8"))


def settle(run: Run) -> None:
    """Enter in the ledger that the undone run is rolled back, now that it is proven."""
    undone = undone_run(run).id
    with run.ledger.step(run.id, "settle", "0"):
        found = run.ledger.run(undone) or {}
        if found["status"] != Status.ROLLED_BACK:
            run.ledger.move(undone, Status.ROLLED_BACK, f"run {run.id} rolled it back and proved it")


def outcome(run: Run) -> dict[str, int] | None:
    """What the rollback did so far by its plan, less the rows that were changed meanwhile: rows `deleted`, `put_back`,
    `as_before` already, and `kept` because they were touched since; None if there is no whole plan."""
    count = dict.fromkeys(("deleted", "put_back", "as_before", "kept"), 0)
    of_verb = {REMOVE: "deleted", ADD: "put_back", CHANGE: "put_back", KEEP: "as_before", DRIFT: "kept"}
    fields = pa.schema([pa.field(name, pa.string()) for name in ("_verb", KEY)])
    with run.workspace.scratch() as scratch, run.connect(scratch) as connection:
        try:
            plans = run.folder.manifests("plan", run.partitions)
        except ArtifactError:
            return None
        for output in (output for phase in run.phases for output in phase.outputs):
            duck.relation(connection, "_plan", files_of(run, plans, f"plan/{output.name}", None, scratch), fields)
            alone = [c["key"] for c in run.ledger.conflicts(run.id, output.name)]
            connection.register("_alone", pa.table({"key": pa.array(alone, pa.string())}))
            found = connection.execute(
                f"SELECT CASE WHEN key IS NULL THEN _verb ELSE '{DRIFT}' END, count(*) "
                f"FROM _plan LEFT JOIN _alone ON {KEY} = key GROUP BY 1"
            ).fetchall()
            for verb, rows in found:
                count[of_verb[verb]] += rows
    return count
