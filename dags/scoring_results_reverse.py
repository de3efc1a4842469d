"""Airflow DAGs for include/migrations/scoring_results_reverse."""

from include.migrations.scoring_results_reverse.migration import migration
from trueup_airflow.dag import build_dag, build_rollback

dag = build_dag(migration)
rollback = build_rollback(migration)
