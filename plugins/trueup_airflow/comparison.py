"""The door for a DAG file: `build_comparison`, made in `trueup_airflow.dags.comparison`."""

from .dags.comparison import build_comparison

__all__ = ["build_comparison"]
