"""Exceptions: the rows that a run left alone, since somebody else changed them; and what a failed proof says in words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import partial

from ..declare.names import KEY, VERB
from ..errors import ArtifactError
from ..plan.files import DRIFT, all_planned, plan_schema
from ..rows import duck
from ..run import Example, Proof, Run, not_written
from ..run.not_written import Why
from ..run.reported import LeftAlone
from .differing import differences
from .proofs import last, there_again

LISTED = 1_000
"""Most exceptions that a report lists; all of them are in the plan's and the proof's files."""
CONFLICT = "conflict"
EXAMPLES = 3


def exceptions(run: Run) -> tuple[int, list[LeftAlone]]:
    """How many rows the run left alone, and `LISTED` of them at most. A row that does not exist is none of them: it is missing."""
    total = 0
    listed: list[LeftAlone] = []
    with run.session() as session:
        for phase in run.phases:
            for output in phase.outputs:
                target = run.migration.target(output.target)
                of_output = partial(LeftAlone, phase=phase.id, table=target.table.name)
                try:
                    files = session.fetch(all_planned(run, output.name))
                except ArtifactError:
                    return total, listed  # there is no whole plan, so nothing was applied
                rows = f"FROM ({duck.parquet(files, plan_schema(target))}) WHERE {VERB} = '{DRIFT}'"
                drifted = duck.count(session.connection, f"SELECT count(*) {rows}")
                keys = session.connection.execute(f"SELECT {KEY} {rows} ORDER BY 1 LIMIT {LISTED}").fetchall()
                who = "changed since the run that is undone" if run.undoes else "changed by somebody else"
                drift = [of_output(key=key, kind=DRIFT, reason=f"{who}, before the plan") for (key,) in keys]
                unwritten = not_written.rows(run, output).to_pylist()
                gone = (row[KEY] for row in unwritten if row[not_written.WHY] == Why.GONE)
                back = {*there_again(session, run, phase, output, gone)}
                conflicts = [
                    of_output(key=row[KEY], kind=CONFLICT, reason=row[not_written.REASON])
                    for row in unwritten
                    if row[not_written.WHY] == Why.LEFT_ALONE or row[KEY] in back
                ]
                total += drifted + len(conflicts)
                listed += [*drift, *conflicts]
    return total, listed[:LISTED]


def words(proofs: Sequence[Proof], brief: bool = False) -> dict[str, str]:
    """What is wrong by these proofs, by the rule that it breaks: how many rows of which table, such as which, and why,
    unless it is `brief`: the reasons are told already."""
    messages = {}
    for kind in ("missing", "different", "unverified", "left_alone"):
        each = [_message(kind, proof, brief) for proof in last(proofs) if proof.rows(kind)]
        if each:
            rule = "budget.left_alone" if kind == "left_alone" else f"proof.{kind}"
            messages[rule] = "; ".join(each)
    return messages


def _message(kind: str, proof: Proof, brief: bool) -> str:
    examples = proof.of(kind)
    keys = ", ".join(e.key for e in examples[:EXAMPLES])
    rows, table = f"{proof.rows(kind):,}", proof.target_table
    total = proof.compared + proof.unverified + proof.left_alone
    of = f"{rows} of {total:,} planned rows of {table}"
    because = "" if brief and kind != "left_alone" else _because(examples)
    if kind == "missing":
        return f"{of} are missing, such as {keys}{because}. Fix what keeps them out, and run again"
    if kind == "unverified":
        return f"{of} could not be read back, such as {keys}. Run again when the store answers"
    if kind == "left_alone":
        return f"{rows} rows of {table} were left alone, such as {keys}{because}"
    differing = Counter(name for e in examples for name in _columns(e))
    columns = ", ".join(f"{name} ({n} of {len(examples)} looked at)" for name, n in differing.most_common(5))
    where = f" in {columns}" if columns else ""
    return (
        f"{of} are not as they were written, such as {keys}{where}{because}. Something else writes there (a "
        "trigger, a default, another program): fix that, or leave such a column out of what is migrated, and "
        "run again"
    )


def _because(examples: list[Example]) -> str:
    reasons = list(dict.fromkeys(e.reason for e in examples if e.reason))
    return f" ({'; '.join(reasons[:EXAMPLES])})" if reasons else ""


def _columns(example: Example) -> list[str]:
    return [name for name, _, _ in differences(example.planned, example.found)]
