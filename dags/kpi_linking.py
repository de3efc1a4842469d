"""Airflow DAG for include/migrations/kpi_linking."""

from trueup_airflow.dag import build_dag

from include.migrations.kpi_linking.migration import migration

dag = build_dag(migration)
