"""Verify: the target is read back and compared with the plan, every row, both ways.

A row that is missing or different is read again, backing off, before it is believed; what could not be read is
`unverified`, and never a success. Rows that apply left alone as conflicts are not expected to be as planned.
"""

from __future__ import annotations

import logging
import time
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from . import duck
from .errors import StoreUnavailableError
from .model import Output, Phase, Target
from .names import ASKED, EXPECTED, FOUND, GONE, KEY, NOW, VERB, own
from .plan_files import DRIFT, TO_BE_GONE, differs, plan_schema, planned, should_schema, struct
from .run import Run
from .snapshot import files_of, source_schema
from .stores import arrow_schema, key_text
from .workspace import Artifact, Manifest

log = logging.getLogger(__name__)

REREAD_AFTER = (0.25, 0.5, 1.0)
"""Seconds before each further look at rows that seem wrong."""
REREAD_ROWS = 5_000
"""Rows that are read again at once."""
EXAMPLES = 20


def verify(run: Run, phase: Phase, partition: int) -> dict[str, dict[str, Any]]:
    """Compare one partition of the phase's targets, as `read_back` found them, with the plans of this phase and of the
    phases before it that write the same target; and, of a target where the migration owns columns only, every other
    row with what it was before.

    By output: compared (rows that were expected and read), missing, different, extra (rows of the target that no plan
    knows), unverified, and reread (rows that were looked at again). The rows in question go to `proof/<output>/…`.
    """
    files: list[Artifact] = []
    facts: dict[str, dict[str, Any]] = {}
    with run.ledger.step(run.id, f"verify/{phase.id}", str(partition)), run.workspace.scratch() as scratch:
        for output in phase.outputs:
            artifact, facts[output.name] = _verify(run, phase, output, partition, scratch)
            files.append(artifact)
        run.folder.seal(Manifest(step=f"verify/{phase.id}", part=f"{partition:03}", files=tuple(files), facts=facts))
    return {name: {k: v for k, v in fact.items() if k != "examples"} for name, fact in facts.items()}


def _verify(run: Run, phase: Phase, output: Output, partition: int, scratch: Path) -> tuple[Artifact, dict[str, Any]]:
    target = run.migration.target(output.target)
    with run.connect(scratch) as connection:
        _relate(connection, run, target, phase, output, partition, scratch)
        compared = duck.count(connection, "SELECT count(*) FROM expected")
        connection.execute(_suspects(target))
        reread = duck.count(connection, "SELECT count(*) FROM suspects")
        unverified = _read_again(connection, run, target)
        local = scratch / f"proof-{output.name}.parquet"
        duck.write(connection, "SELECT * FROM suspects ORDER BY kind, key", local)
        kinds = dict(connection.execute("SELECT kind, count(*) FROM suspects GROUP BY 1").fetchall())
        examples = connection.execute(
            "SELECT kind, key, planned, found FROM suspects QUALIFY row_number() OVER (PARTITION BY kind ORDER BY key) "
            f"<= {EXAMPLES} ORDER BY kind, key"
        ).fetchall()
    counts = {name: kinds.get(name, 0) for name in ("missing", "different", "extra", "unverified")}
    shown = [dict(zip(("kind", "key", "planned", "found"), e, strict=True)) for e in examples]
    refused = {r["key"]: r for r in run.ledger.refused(run.id, output.name, partition)} if kinds else {}
    for example in shown:
        if example["kind"] in ("missing", "different") and (why := refused.get(example["key"])):
            example |= {"constraint": why["constraint"], "reason": why["reason"]}
    artifact = run.folder.publish(local, f"proof/{output.name}/p{partition:03}.parquet", sum(kinds.values()))
    return artifact, {"compared": compared - unverified, **counts, "reread": reread, "examples": shown}


def _relate(
    connection: duckdb.DuckDBPyConnection,
    run: Run,
    target: Target,
    phase: Phase,
    output: Output,
    partition: int,
    scratch: Path,
) -> None:
    """`expected`: what the plans so far say, without what is left alone (conflicts, drift), and the rows that are to
    stay as they are, where `GONE` marks those that are to be absent; `known`: every key that any plan accounts for;
    `found`: what was read back."""
    columns = ", ".join(duck.identifier(f.name) for f in arrow_schema(target.table))
    so_far = _so_far(run, phase, target)
    plans = [run.folder.fetch(planned(run, o.name, partition), scratch) for o in so_far]
    alone = [c["key"] for o in so_far for c in run.ledger.conflicts(run.id, o.name, partition)]
    connection.register(own("alone"), pa.table({KEY: pa.array(alone, pa.string())}))
    rest = files_of(run, run.folder.manifests("plan", run.partitions), f"rest/{target.id}", partition, scratch)
    duck.relation(connection, own("rest"), rest, source_schema(target.table))
    stays = "" if target.owned is None else f" UNION ALL SELECT {KEY}, {columns}, false FROM {own('rest')}"
    connection.execute(
        f"CREATE TEMP VIEW expected AS SELECT {KEY}, {columns}, {TO_BE_GONE} AS {GONE} "
        f"FROM ({duck.parquet(plans, plan_schema(target))}) "
        f"WHERE {VERB} <> '{DRIFT}' AND {KEY} NOT IN (FROM {own('alone')}){stays}"
    )
    made = run.folder.manifests("transform", run.partitions)
    every = run.migration.outputs(target.id)
    should = [file for o in every for file in files_of(run, made, f"should/{o.name}", partition, scratch)]
    duck.relation(connection, own("should"), should, should_schema(target))
    every_plan = [run.folder.fetch(planned(run, o.name, partition), scratch) for o in every]
    connection.execute(
        f"CREATE TEMP VIEW known AS SELECT {KEY} FROM {own('should')} UNION ALL SELECT {KEY} FROM {own('rest')} "
        f"UNION ALL SELECT {KEY} FROM ({duck.parquet(every_plan, plan_schema(target))})"
    )
    back = run.folder.manifests(f"read_back/{phase.id}", run.segments)
    files = files_of(run, back, f"read_back/{output.name}", partition, scratch)
    duck.relation(connection, "found", files, source_schema(target.table))


def _so_far(run: Run, phase: Phase, target: Target) -> list[Output]:
    """What the phases up to and with this one make for the target, in the run's order of them."""
    phases = run.phases[: run.phases.index(phase) + 1]
    return [o for p in phases for o in p.outputs if o.target == target.id]


def _suspects(target: Target) -> str:
    """`suspects`: every row that is not as planned."""
    e, f, gone = EXPECTED, FOUND, f"{EXPECTED}.{GONE}"
    return f"""
        CREATE TEMP TABLE suspects AS
        SELECT CASE WHEN {f}.{KEY} IS NULL AND NOT {gone} THEN 'missing' ELSE 'different' END AS kind, {e}.{KEY} AS key,
            CASE WHEN NOT {gone} THEN CAST(to_json({struct(target, e)}) AS VARCHAR) END AS planned,
            CASE WHEN {f}.{KEY} IS NOT NULL THEN CAST(to_json({struct(target, f)}) AS VARCHAR) END AS found
        FROM expected {e} LEFT JOIN found {f} ON {e}.{KEY} = {f}.{KEY}
        WHERE CASE WHEN {gone} THEN {f}.{KEY} IS NOT NULL ELSE {f}.{KEY} IS NULL OR {differs(target, e, f)} END
        UNION ALL
        SELECT 'extra', {f}.{KEY}, NULL, CAST(to_json({struct(target, f)}) AS VARCHAR)
        FROM found {f} ANTI JOIN known {e} ON {f}.{KEY} = {e}.{KEY}
    """


def _read_again(connection: duckdb.DuckDBPyConnection, run: Run, target: Target) -> int:
    """Look again at rows that are missing or different, and forget those that are right by now; rows that could not
    be read become `unverified`, and their number is returned."""
    store = run.store_of(target.table)
    e, n, gone = EXPECTED, NOW, f"{EXPECTED}.{GONE}"
    keys = ", ".join(f"{e}.{duck.identifier(c)}" for c in target.table.key)
    for pause in REREAD_AFTER:
        if not duck.count(connection, "SELECT count(*) FROM suspects WHERE kind IN ('missing', 'different')"):
            return 0
        time.sleep(pause)
        query = (
            f"SELECT {keys} FROM expected {e} JOIN suspects {ASKED} "
            f"ON {e}.{KEY} = {ASKED}.key AND {ASKED}.kind IN ('missing', 'different')"
        )
        wanted = connection.sql(query).to_arrow_table()
        unread: list[str] = []
        for start in range(0, wanted.num_rows, REREAD_ROWS):
            part = wanted.slice(start, REREAD_ROWS)
            connection.register(own("asked_for"), part)
            asked = f"(SELECT {key_text(target.table.key)} AS {KEY} FROM {own('asked_for')})"
            try:
                connection.register(own("read_now"), store.get(target.table, part))
            except StoreUnavailableError as error:
                log.warning("%s rows of %s could not be read again: %s", f"{part.num_rows:,}", target.table.name, error)
                unread += [row[0] for row in connection.execute(f"FROM {asked}").fetchall()]
                continue
            connection.execute(f"""
                CREATE OR REPLACE TEMP TABLE {own("seen")} AS
                SELECT {e}.{KEY} AS key, {n}.{KEY} IS NULL AND NOT {gone} AS missing,
                    CASE WHEN {gone} THEN {n}.{KEY} IS NOT NULL ELSE {differs(target, e, n)} END AS wrong,
                    CASE WHEN {n}.{KEY} IS NOT NULL THEN CAST(to_json({struct(target, n)}) AS VARCHAR) END AS found
                FROM expected {e} JOIN {asked} {ASKED} ON {e}.{KEY} = {ASKED}.{KEY}
                LEFT JOIN (SELECT *, {key_text(target.table.key)} AS {KEY} FROM {own("read_now")}) {n}
                ON {e}.{KEY} = {n}.{KEY}
            """)
            connection.execute(
                "DELETE FROM suspects WHERE kind <> 'extra' AND key IN "
                f"(SELECT key FROM {own('seen')} WHERE NOT missing AND NOT wrong)"
            )
            connection.execute(
                "UPDATE suspects SET kind = CASE WHEN s.missing THEN 'missing' ELSE 'different' END, found = s.found "
                f"FROM {own('seen')} s WHERE suspects.kind <> 'extra' AND suspects.key = s.key"
            )
    if not unread:
        return 0
    connection.register(own("unread"), pa.table({KEY: pa.array(unread, pa.string())}))
    connection.execute(
        f"UPDATE suspects SET kind = 'unverified' WHERE kind <> 'extra' AND key IN (FROM {own('unread')})"
    )
    return len(unread)


def proof(run: Run, phase: Phase) -> list[dict[str, Any]] | None:
    """What verifying the phase gave over all partitions, one dict an output; None if it has not been verified whole."""
    manifests = run.folder.manifests(f"verify/{phase.id}")
    if len(manifests) != run.partitions:
        return None
    names = ("compared", "missing", "different", "extra", "unverified", "reread")
    found = []
    for output in phase.outputs:
        total: dict[str, Any] = {name: sum(m.facts[output.name][name] for m in manifests) for name in names}
        examples = [e for m in manifests for e in m.facts[output.name]["examples"]]
        about = {"phase": phase.id, "target_table": run.migration.target(output.target).table.name}
        passed = not (total["missing"] or total["different"] or total["unverified"])
        shown = sorted(examples, key=lambda e: (e["kind"], e["key"]))[:EXAMPLES]
        found.append({**about, **total, "passed": passed, "examples": shown})
    return found
