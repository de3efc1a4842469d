"""What the form of a DAG says beside its fields, which are Airflow's own (`/api/v2/dags/<id>/details`): where it would run."""

from __future__ import annotations

from dataclasses import dataclass

from airflow.api_fastapi.core_api.security import GetUserDep
from fastapi import APIRouter

from include.trueup.run import Where

from . import about, scheduled
from . import where as places
from .rights import may

router = APIRouter(prefix="/data/dags/{dag_id}")


@dataclass(frozen=True, kw_only=True)
class Start:
    """Where a run of the DAG would be, what it is for, and whether whoever looks may start one."""

    dag_id: str
    migration_id: str
    ours: bool
    title: str
    purpose: str
    where: Where
    may_run: bool


@router.get("/start")
def start(dag_id: str, user: GetUserDep) -> Start:
    """What the form says beside its fields."""
    migration_id = scheduled.migration_id(dag_id)
    summary = about.of(migration_id)
    return Start(
        dag_id=dag_id,
        migration_id=migration_id,
        ours=scheduled.is_ours(dag_id),
        title=summary.title if summary else migration_id,
        purpose=summary.purpose if summary else "",
        where=places.now(migration_id),
        may_run=may(user, "POST", dag_id),
    )
