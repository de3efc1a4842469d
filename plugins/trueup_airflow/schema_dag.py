"""The door for a DAG file: `build_schema_dag` and `build_schema_restore`, made in `trueup_airflow.dags`."""

from .dags.schema import build_schema_dag
from .dags.schema_restore import build_schema_restore

__all__ = ["build_schema_dag", "build_schema_restore"]
