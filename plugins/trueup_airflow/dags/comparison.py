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
            """Ask both ways; every difference goes to the log and to comparison.json of the run."""
            from include.trueup.run import run_id
            from include.trueup.run.files import COMPARISON

            context = get_current_context()
            asked = {param.id: context["params"][param.id] for param in comparison.params}
            found = comparison.compare(connections.store(comparison.connection), asked)
            counts = {"compared": found.compared, "differences": len(found.differences)}
            folder = connections.workspace().run(run_id(comparison.id, context["dag_run"].run_id))
            about = {"asked": asked, "compared": found.compared, "differences": found.differences}
            folder.write(COMPARISON, json.dumps(about, indent=1))
            for difference in found.differences:
                log.warning("%s", json.dumps(difference))
            if found.differences:
                raise AirflowFailException(
                    f"{counts['differences']:,} differences in {found.compared:,} compared; "
                    f"all of them are in {folder.location(COMPARISON)}"
                )
            log.info("%s compared, no difference", f"{found.compared:,}")
            return counts

        compare()

    return build()
