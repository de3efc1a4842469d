"""Airflow DAG for the shadow comparison of include/migrations/kpi_linking."""

from include.migrations.kpi_linking.shadow import comparison
from trueup_airflow.comparison import build_comparison

dag = build_comparison(comparison)
