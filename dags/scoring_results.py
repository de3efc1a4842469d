"""Airflow DAG for include/migrations/scoring_results."""

from include.migrations.scoring_results.migration import migration
from trueup_airflow.dag import build_dag

dag = build_dag(migration)
