"""Airflow DAG for include/migrations/platform_schema."""

from include.migrations.platform_schema.migration import migration
from trueup_airflow.schema_dag import build_schema_dag

dag = build_schema_dag(migration)
