"""Airflow DAG for include/migrations/kpi_linking."""

from include.migrations.kpi_linking.migration import migration
from trueup_airflow.dag import build_dag

dag = build_dag(migration)
