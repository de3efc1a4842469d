"""Airflow DAG for include/migrations/scoring_models."""

from include.migrations.scoring_models.migration import migration
from trueup_airflow.dag import build_dag

dag = build_dag(migration)
