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
from ..declare.names import EXPECTED, FOUND, KEY, MISTYPED, NOW, VERB, own
from ..errors import StoreUnavailableError
from ..plan import set_off, target_checks
from ..plan.baseline import row_hash
from ..plan.files import (
    CHANGE,
    DRIFT,
    KEEP,
    TO_BE_GONE,
    WRITTEN,
    differ,
    differs,
    plan_schema,
    planned,
    should_schema,
    struct,
)
from ..plan.target_checks import added_differs
from ..rows import duck
from ..rows.statements import Statements
from ..run import Example, Part, Run, Session, StepName, not_written, to_values, where
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
ALONE, OF_PLAN = own("alone"), own("of_plan")
OURS, OURS_IF_GONE = own("ours"), own("ours_if_gone")
_SQL = Statements(
    __file__,
    again=str(AGAIN),
    alone=ALONE,
    of_plan=OF_PLAN,
    ours=OURS,
    ours_if_gone=OURS_IF_GONE,
    reason=REASON,
    seen=own("seen"),
)


def verify(run: Run, phase: Phase, partition: int) -> dict[str, Verified]:
    """Compare one partition of the phase's targets, as `read_back` found them, with the plans of this phase and of the
    phases before it that write the same target; and, of a target where the migration owns columns only, every other
    row with what it was before.

    What came of it, by output, without examples. The rows in question go to `proof/<output>/…`: kind, key, planned and found
    (as JSON), reason (why it was not written, if that is known), hash (of the row found, as `baseline.row_hash`), written
    (whether this run added or changed it; of none, unless all batches are entered).
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
    applied = _applied(connection, run, _so_far(run, phase, target), partition)
    connection.execute(_suspects(run, target, applied=applied))
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
    columns = [duck.identifier(f.name) for f in arrow_schema(target.table)]
    so_far, plans = _so_far(run, phase, target), run.manifests(StepName.PLAN)
    planned_rows = session.fetch(planned(run, o.name, partition) for o in so_far)
    not_written.relate(session, left := own("not_written"), run, so_far, partition)
    session.relate(own("rest"), REST_FILES.among(plans, target.id, partition), source_schema(target.table))
    of_plans = _SQL(
        "of_plans",
        plan=own("of"),
        columns=", ".join(f"{own('of')}.{name}" for name in columns),
        to_be_gone=TO_BE_GONE,
        why=WHY,
        conflicts=", ".join(map(duck.literal, CONFLICTS)),
        plans=duck.parquet(planned_rows, plan_schema(target)),
        not_written=left,
    )
    others = _SQL("others", columns=", ".join(columns), rest=own("rest"))
    expected = _marked(session, run, target, of_plans, others)
    connection.execute(f"CREATE TEMP VIEW expected AS {expected}")
    every, transformed = run.migration.outputs(target.id), run.manifests(StepName.TRANSFORM)
    should = [file for o in every for file in SHOULD_FILES.among(transformed, o.name, partition)]
    session.relate(own("should"), should, should_schema(target))
    every_plan = session.fetch(planned(run, o.name, partition) for o in every)
    plans_of_all = duck.parquet(every_plan, plan_schema(target))
    known = _SQL("known", should_rows=own("should"), rest=own("rest"), plans=plans_of_all)
    connection.execute(f"CREATE TEMP VIEW known AS {known}")
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
        return _SQL("untouched", rows=planned_rows if target.owned is None else every)
    went = duck.count(session.connection, f"SELECT count(*) FROM {name} WHERE {set_off.DELETED} <> 0") > 0
    by = ", ".join(target_checks.all_triggers(run)) or "a trigger or a foreign key"
    marked = _SQL(
        "touched",
        rows=every,
        set_off=name,
        differs=differs(target, NOW, EXPECTED),
        rows_went=str(went).lower(),
        words=duck.literal(f"this run's own writing has set that off, by {by}"),
    )
    return f"{marked}\nWHERE {OF_PLAN} OR {OURS} OR {OURS_IF_GONE}" if target.owned is None else marked


def _so_far(run: Run, phase: Phase, target: Target) -> list[Output]:
    """What the phases up to and with this one make for the target, in the run's order of them."""
    phases = run.phases[: run.phases.index(phase) + 1]
    return [o for p in phases for o in p.outputs if o.target == target.id]


def _kind(run: Run, target: Target, row: str) -> str:
    """SQL: what is to be said of a row of `expected`, as it was found in `row`; null if it is as planned."""
    e = EXPECTED
    differing = _SQL("differs", added_differs=added_differs(run, target, e, row), whole_differs=differs(target, e, row))
    return _SQL(
        "kind",
        row=row,
        # what a rollback finds gone was touched since, as what it finds changed; but what it puts back has to be there
        touched="false" if run.undoes is None else f"{e}.{VERB} IN ('{DRIFT}', '{CHANGE}')",
        differs=differing,
        not_owned="false"
        if target.owned is None
        else f"({e}.{VERB} = '{CHANGE}' AND NOT {_owned_differ(target, e, row)})",
    )


def _owned_differ(target: Target, one: str, other: str) -> str:
    """SQL: whether two rows differ in what the migration owns of them: its columns, whatever type their values have."""
    owned = list(target.owned or ())
    others = [duck.literal(name) for name in target.table.columns if name not in owned]
    mistyped = [f"json_without({row}.{MISTYPED}, CAST([{', '.join(others)}] AS VARCHAR[]))" for row in (one, other)]
    return f"({differ(target, owned, one, other)} OR {mistyped[0]} IS DISTINCT FROM {mistyped[1]})"


def _applied(connection: duckdb.DuckDBPyConnection, run: Run, outputs: list[Output], partition: int) -> bool:
    """Whether the ledger has all that was to be written. Where apply was only marked as done, it has not."""
    to_write = duck.count(connection, f"SELECT count(*) FROM expected WHERE {OF_PLAN} AND {VERB} IN {WRITTEN}")
    entered = (run.ledger.applied(run.id, output.name, partition).get(output.name) for output in outputs)
    return sum(applied.rows for applied in entered if applied) >= to_write


def _suspects(run: Run, target: Target, *, applied: bool) -> str:
    """`suspects`: every row that is not as planned."""
    return _SQL(
        "suspects",
        kind=_kind(run, target, FOUND),
        row_expected=struct(target, EXPECTED),
        row_found=struct(target, FOUND),
        hash=row_hash(target, FOUND),
        applied=str(applied).lower(),
    )


def _read_again(connection: duckdb.DuckDBPyConnection, run: Run, target: Target) -> int:
    """Look again at rows that are missing or different, and forget those that are right by now; rows that could not
    be read become `unverified`, and their number is returned."""
    store, key = run.store_of(target.table), key_text(target.table.key)
    keys = ", ".join(f"{EXPECTED}.{duck.identifier(c)}" for c in target.table.key)
    for pause in REREAD_AFTER:
        if not duck.count(connection, f"SELECT count(*) FROM suspects WHERE kind IN {AGAIN}"):
            return 0
        run.effects.sleep(pause)
        wanted = connection.sql(_SQL("asked", keys=keys)).to_arrow_table()
        unread: list[str] = []
        for start in range(0, wanted.num_rows, REREAD_ROWS):
            rows = wanted.slice(start, REREAD_ROWS)
            connection.register(own("asked_for"), rows)
            asked_for = f"(SELECT {key} AS {KEY} FROM {own('asked_for')})"
            try:
                connection.register(own("read_now"), store.get(target.table, rows))
                where.check_same(run)
            except StoreUnavailableError as error:
                log.warning("%s rows of %s could not be read again: %s", f"{rows.num_rows:,}", target.table.name, error)
                unread += [row[0] for row in connection.execute(f"FROM {asked_for}").fetchall()]
                continue
            seen = _SQL(
                "seen",
                kind=_kind(run, target, NOW),
                row_now=struct(target, NOW),
                hash=row_hash(target, NOW),
                asked_for=asked_for,
                key_text=key,
                read_now=own("read_now"),
            )
            for statement in (seen, _SQL("right_by_now"), _SQL("still_wrong")):
                connection.execute(statement)
    if not unread:
        return 0
    connection.register(own("unread"), pa.table({KEY: pa.array(unread, pa.string())}))
    connection.execute(_SQL("unread", unread=own("unread")))
    return len(unread)
