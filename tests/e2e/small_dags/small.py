"""The small migration's DAGs, over the embedded PostgreSQL, for tests that use Airflow's REST API as any client does."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

from tests.small import declare
from trueup_airflow.cutover import build_cutover
from trueup_airflow.dag import build_dag, build_rollback

CONNECTION = "scoring_postgres"
# scripts that each process writes for itself: nobody reads one that another is writing
_made = declare(Path(tempfile.mkdtemp(prefix="trueup-small-")))
_people, _persons = _made.sources[0], _made.targets[0]
migration = replace(
    _made,
    doc="People into persons.",
    sources=(replace(_people, table=replace(_people.table, connection=CONNECTION)),),
    targets=(replace(_persons, table=replace(_persons.table, connection=CONNECTION)),),
)
small = build_dag(migration)
small_rollback = build_rollback(migration)
small_cutover = build_cutover(migration)
