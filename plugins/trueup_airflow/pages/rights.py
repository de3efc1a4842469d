"""What whoever asks may do with the runs of a DAG, by Airflow's own answer."""

from __future__ import annotations

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.base_auth_manager import ResourceMethod
from airflow.api_fastapi.auth.managers.models.base_user import BaseUser
from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity, DagDetails


def may(user: BaseUser, method: ResourceMethod, dag_id: str) -> bool:
    """Whether the user may do that with the DAG's runs: read them (GET), trigger one (POST)."""
    details = DagDetails(id=dag_id)
    return get_auth_manager().is_authorized_dag(
        method=method, access_entity=DagAccessEntity.RUN, details=details, user=user
    )
