"""Airflow DAGs for include/migrations/kpi_linking."""

from include.migrations.kpi_linking.migration import migration
from trueup_airflow.cutover import build_cutover
from trueup_airflow.dag import build_dag, build_rollback

dag = build_dag(migration)
rollback = build_rollback(migration)
cutover = build_cutover(migration)
