"""Airflow DAGs for include/migrations/checkins."""

from include.migrations.checkins.migration import migration
from trueup_airflow.cutover import build_cutover
from trueup_airflow.dag import build_dag, build_rollback

dag = build_dag(migration)
rollback = build_rollback(migration)
cutover = build_cutover(migration)
