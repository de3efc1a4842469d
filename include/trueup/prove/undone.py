"""What a rollback has done, in rows."""

from __future__ import annotations

from ..declare.names import KEY, VERB, own
from ..errors import ArtifactError
from ..plan.files import ADD, CHANGE, DRIFT, KEEP, REMOVE, plan_schema
from ..run import Run, StepName, not_written
from ..run.files import PLAN_FILES
from ..run.not_written import CONFLICTS
from ..run.reported import Undone


def outcome(run: Run) -> Undone | None:
    """What the rollback did so far by its plan, less the rows that were changed meanwhile: rows `deleted`, `put_back`,
    `as_before` already, and `kept` because they were touched since; None if there is no whole plan."""
    count = dict.fromkeys(("deleted", "put_back", "as_before", "kept"), 0)
    of_verb = {REMOVE: "deleted", ADD: "put_back", CHANGE: "put_back", KEEP: "as_before", DRIFT: "kept"}
    try:
        plans = run.manifests(StepName.PLAN)
    except ArtifactError:
        return None
    with run.session() as session:
        for output in (output for phase in run.phases for output in phase.outputs):
            schema = plan_schema(run.migration.target(output.target))
            session.relate(plan := own("plan"), PLAN_FILES.among(plans, output.name), schema)
            not_written.relate(session, left := own("not_written"), run, [output])
            rows_by_verb = session.connection.execute(
                f"SELECT CASE WHEN {KEY} IN {not_written.keys(left, *CONFLICTS)} THEN '{DRIFT}' ELSE {VERB} END, count(*) "
                f"FROM {plan} GROUP BY 1"
            ).fetchall()
            for verb, rows in rows_by_verb:
                count[of_verb[verb]] += rows
    return Undone(**count)
