"""What a rollback has done, in rows."""

from __future__ import annotations

import pyarrow as pa

from ..declare.names import KEY, VERB, own
from ..errors import ArtifactError
from ..plan.files import ADD, CHANGE, DRIFT, KEEP, REMOVE, plan_schema
from ..rows import duck
from ..run import Run
from ..run.files import PLAN_FILES
from ..run.partitions import files_of


def outcome(run: Run) -> dict[str, int] | None:
    """What the rollback did so far by its plan, less the rows that were changed meanwhile: rows `deleted`, `put_back`,
    `as_before` already, and `kept` because they were touched since; None if there is no whole plan."""
    count = dict.fromkeys(("deleted", "put_back", "as_before", "kept"), 0)
    of_verb = {REMOVE: "deleted", ADD: "put_back", CHANGE: "put_back", KEEP: "as_before", DRIFT: "kept"}
    with run.workspace.scratch() as scratch, run.connect(scratch) as connection:
        try:
            plans = run.folder.manifests("plan", run.partitions)
        except ArtifactError:
            return None
        for output in (output for phase in run.phases for output in phase.outputs):
            files = files_of(run, plans, PLAN_FILES.of(output.name), None, scratch)
            duck.relation(connection, own("plan"), files, plan_schema(run.migration.target(output.target)))
            alone = [c.key for c in run.ledger.conflicts(run.id, output.name)]
            connection.register(own("alone"), pa.table({KEY: pa.array(alone, pa.string())}))
            found = connection.execute(
                f"SELECT CASE WHEN {KEY} IN (FROM {own('alone')}) THEN '{DRIFT}' ELSE {VERB} END, count(*) "
                f"FROM {own('plan')} GROUP BY 1"
            ).fetchall()
            for verb, rows in found:
                count[of_verb[verb]] += rows
    return count
