"""The door for a DAG file: `build_dag` and `build_rollback`, made in `trueup_airflow.dags.rows`."""

from .dags.rows import build_dag, build_rollback

__all__ = ["build_dag", "build_rollback"]
