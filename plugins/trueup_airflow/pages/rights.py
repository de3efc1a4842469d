"""What whoever asks may do with the runs of a DAG, by Airflow's own answer."""

from __future__ import annotations

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.base_auth_manager import ResourceMethod
from airflow.api_fastapi.auth.managers.models.base_user import BaseUser
from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity, DagDetails


def may(user: BaseUser, method: ResourceMethod, dag_id: str, entity: DagAccessEntity = DagAccessEntity.RUN) -> bool:
    """Whether the user may do that with the DAG's runs: read them (GET), trigger one (POST); or with another `entity` of it:
    clear tasks (PUT of TASK_INSTANCE), answer questions (PUT of HITL_DETAIL)."""
    details = DagDetails(id=dag_id)
    return get_auth_manager().is_authorized_dag(method=method, access_entity=entity, details=details, user=user)


def may_clear(user: BaseUser, dag_id: str) -> bool:
    """Whether the user may have tasks of the DAG's runs done again."""
    return may(user, "PUT", dag_id, DagAccessEntity.TASK_INSTANCE)


def may_answer(user: BaseUser, dag_id: str, assigned: frozenset[str]) -> bool:
    """Whether the user may answer a question of the DAG's runs that is put to these users (empty: to anybody)."""
    if not may(user, "PUT", dag_id, DagAccessEntity.HITL_DETAIL):
        return False
    return not assigned or get_auth_manager().is_authorized_hitl_task(assigned_users=set(assigned), user=user)
