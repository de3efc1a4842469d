"""Airflow DAGs for include/migrations/platform_schema."""

from include.migrations.platform_schema.migration import migration
from trueup_airflow.schema_dag import build_schema_dag, build_schema_restore

dag = build_schema_dag(migration)
restore = build_schema_restore(migration)
