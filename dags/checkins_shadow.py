"""Airflow DAG for the shadow comparison of include/migrations/checkins."""

from include.migrations.checkins.shadow import comparison
from trueup_airflow.comparison import build_comparison

dag = build_comparison(comparison)
