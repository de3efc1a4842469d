"""The door for a DAG file: `build_schema_dag`, made in `trueup_airflow.dags.schema`."""

from .dags.schema import build_schema_dag

__all__ = ["build_schema_dag"]
