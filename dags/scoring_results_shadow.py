"""Airflow DAG for the shadow comparison of include/migrations/scoring_results."""

from include.migrations.scoring_results.shadow import comparison
from trueup_airflow.comparison import build_comparison

dag = build_comparison(comparison)
