"""Who may call a route: Airflow is asked, by what the route says that it does."""

from __future__ import annotations

from typing import Annotated, Any

from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity
from airflow.api_fastapi.core_api.security import GetUserDep, bearer_scheme, requires_access_dag
from fastapi import Depends, Path, Request
from fastapi.security import HTTPAuthorizationCredentials
from starlette.exceptions import HTTPException

from include.routes import Access

MigrationId = Annotated[str, Path(max_length=250, description="The migration's id.")]
Bearer = Annotated[HTTPAuthorizationCredentials | None, Depends(bearer_scheme)]


def checks(access: Access, dag_id: str) -> list[Any]:
    """The dependencies of a route: to read asks for GET on the DAG, to write for PUT on its runs; others get 401 or
    403. A write that comes with a cookie must come from a page of this server."""
    if access is Access.READ:
        return [Depends(requires_access_dag("GET", param_dag_id=dag_id))]
    return [Depends(requires_access_dag("PUT", DagAccessEntity.RUN, param_dag_id=dag_id)), Depends(_from_here)]


def reads_runs_of(parameter: str) -> Any:
    """The dependency of a route that is of no migration alone: to read asks for GET on the runs of the migration whose id is
    in that part of the address."""

    def may_read(request: Request, user: GetUserDep) -> None:
        requires_access_dag("GET", DagAccessEntity.RUN, param_dag_id=request.path_params[parameter])(request, user)

    return Depends(may_read)


def _from_here(request: Request, token: Bearer) -> None:
    # a browser sends its cookie with whatever any page asks of it, a token only where a program puts it
    by_token = token is not None and token.scheme.lower() == "bearer"  # as Airflow chooses between the two
    if not by_token and request.headers.get("Sec-Fetch-Site") != "same-origin":
        raise HTTPException(403, "A write that is signed in by a cookie must come from a page of this server.")
