"""Airflow DAG for include/migrations/checkins."""

from include.migrations.checkins.migration import migration
from trueup_airflow.dag import build_dag

dag = build_dag(migration)
