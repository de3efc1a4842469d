"""Verify: the target is read back and compared with the plan, every row, both ways.

Proven is about the rows that should be, not about those that were tried: a planned row that is absent is `missing`,
whatever the reason. A row that is there and was left alone, since somebody else changed it, is `left_alone`: an
exception. A row that the plan did not mean to write, or of which only columns that the migration does not own changed,
has `moved_on`, and is neither; but what the run's own writing has set off (`plan/set_off.py`) is different, or missing. A row
that is missing or different is read again, backing off, before it is believed; what could not be read is `unverified`,
and never a success.
"""

from __future__ import annotations

import logging
from dataclasses import replace

import duckdb
import pyarrow as pa

from ..declare.migration import Output, Phase, Target
from ..declare.names import ASKED, EXPECTED, FOUND, GONE, KEY, MISTYPED, NOW, VERB, own
from ..errors import StoreUnavailableError
from ..plan import set_off, target_checks
from ..plan.baseline import row_hash
from ..plan.files import (
    ADD,
    CHANGE,
    DRIFT,
    KEEP,
    TO_BE_GONE,
    differ,
    differs,
    plan_schema,
    planned,
    should_schema,
    struct,
)
from ..plan.target_checks import added_differs
from ..rows import duck
from ..run import Example, Part, Run, Session, StepName, not_written, to_values
from ..run.facts import Verified
from ..run.files import PROOF_FILES, READ_BACK_FILES, REST_FILES, SHOULD_FILES
from ..run.not_written import CONFLICTS, REASON, WHY
from ..run.partitions import source_schema
from ..stores import arrow_schema, key_text
from .proofs import EXAMPLES, KINDS

log = logging.getLogger(__name__)

REREAD_AFTER = (0.25, 0.5, 1.0)
"""Seconds before each further look at rows that seem wrong."""
REREAD_ROWS = 5_000
"""Rows that are read again at once."""
AGAIN = ("missing", "different")
"""The kinds that are read again before they are believed."""
ALONE, OF_PLAN, OF = own("alone"), own("of_plan"), own("of")
OURS, OURS_IF_GONE = own("ours"), own("ours_if_gone")


def verify(run: Run, phase: Phase, partition: int) -> dict[str, Verified]:
    """Compare one partition of the phase's targets, as `read_back` found them, with the plans of this phase and of the
    phases before it that write the same target; and, of a target where the migration owns columns only, every other
    row with what it was before.

    What came of it, by output, without examples. The rows in question go to `proof/<output>/…`: kind, key, planned and found
    (as JSON), reason (why it was not written, if that is known), hash (of the row found, as `baseline.row_hash`), written
    (whether this run added or changed it).
    """
    outputs: dict[str, Verified] = {}
    with run.part(StepName.VERIFY, partition, phase=phase) as part:
        for output in phase.outputs:
            with run.session() as session:
                outputs[output.name] = _verify(part, session, run, phase, output, partition)
        part.facts = {name: to_values(each) for name, each in outputs.items()}
    return {name: replace(each, examples=()) for name, each in outputs.items()}


def _verify(part: Part, session: Session, run: Run, phase: Phase, output: Output, partition: int) -> Verified:
    """Compare one output, in a session of its own, since its relations have the names of any other's."""
    target, connection = run.migration.target(output.target), session.connection
    _relate(session, run, target, phase, output, partition)
    compared = duck.count(connection, "SELECT count(*) FROM expected")
    connection.execute(_suspects(run, target))
    reread = duck.count(connection, f"SELECT count(*) FROM suspects WHERE kind IN {AGAIN}")
    unverified = _read_again(connection, run, target)
    to_keep = duck.count(connection, f"SELECT count(*) FROM expected WHERE {VERB} = '{KEEP}' AND {OF_PLAN}")
    gone = duck.count(
        connection,
        f"SELECT count(*) FROM suspects s JOIN expected {EXPECTED} ON {EXPECTED}.{KEY} = s.key AND {EXPECTED}.{OF_PLAN} "
        "WHERE s.kind = 'moved_on' AND s.found IS NULL",
    )
    local = session.scratch / "proof.parquet"
    rows = duck.write(connection, "SELECT * FROM suspects ORDER BY kind, key", local)
    part.publish(local, PROOF_FILES.part(output.name, partition), rows)
    kinds = dict(connection.execute("SELECT kind, count(*) FROM suspects GROUP BY 1").fetchall())
    examples = connection.execute(
        "SELECT kind, key, planned, found, reason FROM suspects QUALIFY row_number() OVER (PARTITION BY kind ORDER BY key) "
        f"<= {EXAMPLES} ORDER BY kind, key"
    ).fetchall()
    counts = {name: kinds.get(name, 0) for name in KINDS}
    compared -= unverified + counts["left_alone"] + counts["moved_on"]
    refused = {r.key: r for r in run.ledger.refused(run.id, output.name, partition)} if kinds else {}
    shown = tuple(
        Example(
            kind=kind,
            key=key,
            planned=planned_row,
            found=found_row,
            reason=reason,
            constraint=refused[key].constraint if kind in AGAIN and key in refused else None,
        )
        for kind, key, planned_row, found_row, reason in examples
    )
    return Verified(compared=compared, **counts, reread=reread, to_keep=to_keep, gone=gone, examples=shown)


def _relate(session: Session, run: Run, target: Target, phase: Phase, output: Output, partition: int) -> None:
    """Make the relations that are compared. Of rows as `stores.arrow_schema` has them:

    - `expected`: what the plans so far say, and the rows that are to stay as they are: `_key`, the row, its verb, and whether
      it is to be absent (`GONE`), was left alone (`ALONE`, with the `REASON`), and whether a plan has it (`OF_PLAN`);
    - `known`: `_key` of every row that any plan accounts for;
    - `found`: what was read back, of the shape of `source_schema`."""
    connection = session.connection
    columns = ", ".join(duck.identifier(f.name) for f in arrow_schema(target.table))
    so_far, plans = _so_far(run, phase, target), run.manifests(StepName.PLAN)
    planned_rows = session.fetch(planned(run, o.name, partition) for o in so_far)
    not_written.relate(session, left := own("not_written"), run, so_far, partition)
    session.relate(own("rest"), REST_FILES.among(plans, target.id, partition), source_schema(target.table))
    conflict = f"coalesce({WHY} IN ({', '.join(map(duck.literal, CONFLICTS))}), false)"
    of_plans = (
        f"SELECT {OF}.{KEY}, {columns}, {VERB}, {TO_BE_GONE} AS {GONE}, "
        f"{VERB} = '{DRIFT}' OR {conflict} AS {ALONE}, {REASON}, true AS {OF_PLAN} "
        f"FROM ({duck.parquet(planned_rows, plan_schema(target))}) {OF} LEFT JOIN {left} ON {OF}.{KEY} = {left}.{KEY}"
    )
    others = f"SELECT {KEY}, {columns}, '{KEEP}', false, false, NULL, false FROM {own('rest')}"
    expected = _marked(session, run, target, of_plans, others)
    connection.execute(f"CREATE TEMP VIEW expected AS {expected}")
    every, transformed = run.migration.outputs(target.id), run.manifests(StepName.TRANSFORM)
    should = [file for o in every for file in SHOULD_FILES.among(transformed, o.name, partition)]
    session.relate(own("should"), should, should_schema(target))
    every_plan = session.fetch(planned(run, o.name, partition) for o in every)
    connection.execute(
        f"CREATE TEMP VIEW known AS SELECT {KEY} FROM {own('should')} UNION ALL SELECT {KEY} FROM {own('rest')} "
        f"UNION ALL SELECT {KEY} FROM ({duck.parquet(every_plan, plan_schema(target))})"
    )
    files = READ_BACK_FILES.among(run.manifests(StepName.READ_BACK, phase), output.name, partition)
    session.relate("found", files, source_schema(target.table))


def _marked(session: Session, run: Run, target: Target, planned_rows: str, others: str) -> str:
    """SQL: the expected rows, with `OURS`: whether one that is otherwise than expected is so by what the run's own writing
    set off. Where that deleted rows, any that is gone is taken for one of them. Of a table that is the migration's, other
    rows are expected to stay only as far as the run's own writing goes."""
    attempt = run.ledger.entered(run.id).attempt
    name = own("set_off")
    every = f"{planned_rows} UNION ALL {others}"
    if not set_off.relate(session, name, run.folder, target, attempt):
        rows = planned_rows if target.owned is None else every
        return f"SELECT *, false AS {OURS}, false AS {OURS_IF_GONE} FROM ({rows})"
    gone = duck.count(session.connection, f"SELECT count(*) FROM {name} WHERE {set_off.DELETED} <> 0") > 0
    by = ", ".join(target_checks.all_triggers(run)) or "a trigger or a foreign key"
    said = duck.literal(f"this run's own writing has set that off, by {by}")
    # a row that a trigger has touched, and left as it is expected, is nobody's work
    ours = (
        f"{KEY} IN (SELECT {NOW}.{KEY} FROM {name} {NOW} JOIN ({every}) {EXPECTED} ON {NOW}.{KEY} = {EXPECTED}.{KEY} "
        f"WHERE {differs(target, NOW, EXPECTED)})"
    )
    only = f" WHERE {OF_PLAN} OR {OURS} OR {OURS_IF_GONE}" if target.owned is None else ""
    return (
        f"SELECT * REPLACE (coalesce({REASON}, CASE WHEN {OURS} OR ({OURS_IF_GONE} AND {VERB} = '{KEEP}') THEN {said} END) "
        f"AS {REASON}) FROM (SELECT *, {ours} AS {OURS}, {str(gone).lower()} AS {OURS_IF_GONE} FROM ({every})){only}"
    )


def _so_far(run: Run, phase: Phase, target: Target) -> list[Output]:
    """What the phases up to and with this one make for the target, in the run's order of them."""
    phases = run.phases[: run.phases.index(phase) + 1]
    return [o for p in phases for o in p.outputs if o.target == target.id]


def _kind(run: Run, target: Target, row: str) -> str:
    """SQL: what is to be said of a row of `expected`, as it was found in `row`; null if it is as planned."""
    e = EXPECTED
    absent, gone = f"{row}.{KEY} IS NULL", f"{e}.{GONE}"
    # what a rollback finds gone was touched since, as what it finds changed; but what it puts back has to be there
    touched = "false" if run.undoes is None else f"{e}.{VERB} IN ('{DRIFT}', '{CHANGE}')"
    differ_now = (
        f"CASE WHEN {e}.{VERB} = '{ADD}' THEN {added_differs(run, target, e, row)} ELSE {differs(target, e, row)} END"
    )
    not_owned = "false" if target.owned is None else f"{e}.{VERB} = '{CHANGE}' AND NOT {_owned_differ(target, e, row)}"
    return f"""CASE
        WHEN {e}.{ALONE} THEN CASE WHEN {absent} AND NOT {gone} AND NOT {touched} THEN 'missing' ELSE 'left_alone' END
        WHEN {gone} AND {absent} THEN NULL
        WHEN NOT {gone} AND NOT {absent} AND NOT {differ_now} THEN NULL
        WHEN {absent} AND {e}.{VERB} = '{KEEP}' AND NOT {e}.{OURS_IF_GONE} THEN 'moved_on'
        WHEN {absent} THEN 'missing'
        WHEN ({e}.{VERB} = '{KEEP}' OR {not_owned}) AND NOT {e}.{OURS} THEN 'moved_on'
        ELSE 'different' END"""


def _owned_differ(target: Target, one: str, other: str) -> str:
    """SQL: whether two rows differ in what the migration owns of them: its columns, whatever type their values have."""
    owned = list(target.owned or ())
    others = [duck.literal(name) for name in target.table.columns if name not in owned]
    mistyped = [f"json_without({row}.{MISTYPED}, CAST([{', '.join(others)}] AS VARCHAR[]))" for row in (one, other)]
    return f"({differ(target, owned, one, other)} OR {mistyped[0]} IS DISTINCT FROM {mistyped[1]})"


def _suspects(run: Run, target: Target) -> str:
    """`suspects`: every row that is not as planned."""
    e, f = EXPECTED, FOUND
    return f"""
        CREATE TEMP TABLE suspects AS
        SELECT {_kind(run, target, f)} AS kind, {e}.{KEY} AS key,
            CASE WHEN NOT {e}.{GONE} THEN CAST(to_json({struct(target, e)}) AS VARCHAR) END AS planned,
            CASE WHEN {f}.{KEY} IS NOT NULL THEN CAST(to_json({struct(target, f)}) AS VARCHAR) END AS found,
            {e}.{REASON} AS reason, CASE WHEN {f}.{KEY} IS NOT NULL THEN {row_hash(target, f)} END AS hash,
            {e}.{VERB} IN ('{ADD}', '{CHANGE}') AND NOT {e}.{ALONE} AS written
        FROM expected {e} LEFT JOIN found {f} ON {e}.{KEY} = {f}.{KEY} WHERE {_kind(run, target, f)} IS NOT NULL
        UNION ALL
        SELECT 'extra', {f}.{KEY}, NULL, CAST(to_json({struct(target, f)}) AS VARCHAR), NULL, NULL, false
        FROM found {f} ANTI JOIN known {e} ON {f}.{KEY} = {e}.{KEY}
    """


def _read_again(connection: duckdb.DuckDBPyConnection, run: Run, target: Target) -> int:
    """Look again at rows that are missing or different, and forget those that are right by now; rows that could not
    be read become `unverified`, and their number is returned."""
    store = run.store_of(target.table)
    e, n = EXPECTED, NOW
    keys = ", ".join(f"{e}.{duck.identifier(c)}" for c in target.table.key)
    for pause in REREAD_AFTER:
        if not duck.count(connection, f"SELECT count(*) FROM suspects WHERE kind IN {AGAIN}"):
            return 0
        run.effects.sleep(pause)
        query = (
            f"SELECT {keys} FROM expected {e} JOIN suspects {ASKED} "
            f"ON {e}.{KEY} = {ASKED}.key AND {ASKED}.kind IN {AGAIN}"
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
                SELECT {e}.{KEY} AS key, {_kind(run, target, n)} AS kind,
                    CASE WHEN {n}.{KEY} IS NOT NULL THEN CAST(to_json({struct(target, n)}) AS VARCHAR) END AS found,
                    CASE WHEN {n}.{KEY} IS NOT NULL THEN {row_hash(target, n)} END AS hash
                FROM expected {e} JOIN {asked} {ASKED} ON {e}.{KEY} = {ASKED}.{KEY}
                LEFT JOIN (SELECT *, {key_text(target.table.key)} AS {KEY} FROM {own("read_now")}) {n}
                ON {e}.{KEY} = {n}.{KEY}
            """)
            connection.execute(
                f"DELETE FROM suspects WHERE kind IN {AGAIN} AND key IN "
                f"(SELECT key FROM {own('seen')} WHERE kind IS NULL)"
            )
            connection.execute(
                f"UPDATE suspects SET kind = s.kind, found = s.found, hash = s.hash FROM {own('seen')} s "
                f"WHERE suspects.kind IN {AGAIN} AND suspects.key = s.key"
            )
    if not unread:
        return 0
    connection.register(own("unread"), pa.table({KEY: pa.array(unread, pa.string())}))
    connection.execute(
        f"UPDATE suspects SET kind = 'unverified' WHERE kind IN {AGAIN} AND key IN (FROM {own('unread')})"
    )
    return len(unread)
