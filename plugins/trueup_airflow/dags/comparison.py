"""A comparison's DAG: one task that asks both ways, reports every difference, and fails if there is one."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING

from airflow.sdk import DAG, dag, get_current_context, task
from airflow.sdk.exceptions import AirflowFailException

from .. import connections
from .params import declared

if TYPE_CHECKING:
    from include.trueup.cutover.comparison import Comparison

log = logging.getLogger(__name__)


def build_comparison(comparison: Comparison) -> DAG:
    """The DAG of a comparison, with the comparison's id."""
    from .builder import RETRIES

    @dag(
        dag_id=comparison.id,
        dag_display_name=comparison.title,
        description=comparison.title,
        doc_md=comparison.doc,
        schedule=None,
        catchup=False,
        params=declared(comparison.params),
        default_args={"owner": comparison.owner, **RETRIES},
        tags=["trueup", "comparison"],
    )
    def build() -> None:
        @task
        def compare() -> dict[str, int]:
            """Ask both ways; every difference goes to the log and to comparison.json of the run, and what was found to the
            ledger, where a cutover looks for it. Fails on a difference that the proven run has not reported itself."""
            from include.trueup.run import run_id
            from include.trueup.run.files import COMPARISON

            context = get_current_context()
            asked = {param.id: context["params"][param.id] for param in comparison.params}
            id, ledger = run_id(comparison.id, context["dag_run"].run_id), connections.ledger()
            begun_at = None
            if comparison.migration:
                ledger.ensure()
                begun_at = ledger.comparisons.begin(id, comparison.migration, comparison.id)
            result = comparison.compare(connections.store(comparison.connection), asked)
            counts = {"compared": result.compared, "differences": len(result.differences)}
            folder = connections.workspace().run(id)
            content = {"asked": asked, "compared": result.compared, "differences": result.differences}
            written = folder.write(COMPARISON, json.dumps(content, indent=1))
            if begun_at is not None:
                ledger.comparisons.end(id, begun_at, **counts, whole=result.whole, sha256=written.sha256)
            known = _known(comparison.migration)
            unknown = [each for each in result.differences if each.get("key") not in known]
            for difference in result.differences:
                log.warning("%s", json.dumps(difference))
            if unknown:
                raise AirflowFailException(
                    f"{len(unknown):,} differences in {result.compared:,} compared that no proven run has reported; "
                    f"all {counts['differences']:,} differences are in {folder.location(COMPARISON)}"
                )
            log.info("%s compared, %s differences, all of them known", *(f"{n:,}" for n in counts.values()))
            return counts

        compare()

    return build()


def _known(migration_id: str) -> frozenset[str]:
    """The keys of which the run that proved the migration says itself that the two ways differ there."""
    from include import project
    from include.trueup.cutover import shadow, turning
    from include.trueup.declare.migration import Migration
    from include.trueup.errors import ProofError

    declared = project.load_migration(migration_id) if migration_id else None
    if not isinstance(declared, Migration) or declared.shadow is None:
        return frozenset()
    workspace = connections.workspace()
    try:
        proven = turning.proven(connections.ledger(), workspace, migration_id).run_id
    except ProofError as error:
        log.info("nothing is known to differ: %s", error)
        proven = None
    return shadow.reported(workspace, proven, declared.shadow)
