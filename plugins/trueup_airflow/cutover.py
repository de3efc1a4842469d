"""The door for a DAG file: `build_cutover`, made in `trueup_airflow.dags.cutover`."""

from .dags.cutover import build_cutover

__all__ = ["build_cutover"]
