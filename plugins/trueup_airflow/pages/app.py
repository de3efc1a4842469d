"""The app: a shell per view, the data that it shows, and files to download. It changes nothing, so everything is a GET;
what its pages do, they ask of Airflow's own public API, as whoever is signed in.

Whoever asks must be known to Airflow (401), and for what belongs to a DAG, may read that DAG's runs (403). Only static
files are public. Handlers wait for databases and files, so they are plain functions, which run in threads.
"""

from __future__ import annotations

from typing import Annotated

from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity
from airflow.api_fastapi.core_api.security import requires_access_dag, requires_authenticated
from airflow.sdk.exceptions import AirflowNotFoundException, AirflowRuntimeError
from fastapi import APIRouter, Depends, FastAPI, Query, Request
from starlette.responses import JSONResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from include.trueup.errors import ArtifactError, TrueupError

from . import (
    about,
    backfills,
    bundles,
    data_docs,
    downloads,
    expectations,
    index,
    one_run,
    rows,
    scheduled,
    schemas,
    start,
    switches,
    undoing,
    views,
)
from .bundles import STATIC
from .changes import Unchanged
from .headers import Headers
from .shell import TITLES, VERSION, WHOLE, View, shell

MAY_READ = Depends(requires_access_dag("GET", DagAccessEntity.RUN))
"""The user may read the runs of the DAG that the path or the query names."""
Id = Annotated[str, Query(min_length=1, max_length=250)]

app = FastAPI(title="Trueup pages", docs_url=None, redoc_url=None, openapi_url=None)
app.add_middleware(Unchanged)
app.add_middleware(Headers)  # the outermost: what is unchanged has them too


class _Static(StaticFiles):
    """The same files at their version's address and without it; and each view's in one."""

    def get_path(self, scope: Scope) -> str:
        """What is asked for, below the folder."""
        return super().get_path(scope).removeprefix(f"{VERSION}/")

    async def get_response(self, path: str, scope: Scope) -> Response:
        """The file."""
        folder, _, name = path.rpartition("/")
        if folder == WHOLE and scope["method"] in ("GET", "HEAD"):
            if name == "styles.css":
                return Response(bundles.styles(), media_type="text/css")
            if (view := name.removesuffix(".js")) in TITLES:
                return Response(bundles.script(view), media_type="text/javascript")
        return await super().get_response(path, scope)


app.mount("/static", _Static(directory=STATIC), name="static")

shells = APIRouter()


@shells.get("/", dependencies=[Depends(requires_authenticated())])
def migrations_page() -> Response:
    """All migrations."""
    return shell("migrations")


def _of(view: View, dag_id: str, run_id: str = "") -> Response:
    """A view of the DAG's migration."""
    summary = about.of(scheduled.migration_id(dag_id))
    return shell(view, dag_id, run_id, summary.title if summary else dag_id)


@shells.get("/run", dependencies=[MAY_READ])
def run_page(dag_id: Id, run_id: Id) -> Response:
    """A run."""
    return _of("turn" if dag_id.endswith(switches.CUTOVER) else "run", dag_id, run_id)


@shells.get("/history", dependencies=[MAY_READ])
def history_page(dag_id: Id) -> Response:
    """The runs of a DAG."""
    return _of("history", dag_id)


@shells.get("/cutover", dependencies=[MAY_READ])
def cutover_page(dag_id: Id) -> Response:
    """The switch of a migration."""
    return _of("cutover", dag_id)


@shells.get("/rollback", dependencies=[MAY_READ])
def rollback_page(dag_id: Id) -> Response:
    """What can be undone of a migration, and what was."""
    return _of("rollback", dag_id)


@shells.get("/backfills", dependencies=[MAY_READ])
def backfills_page(dag_id: Id) -> Response:
    """The backfills of a migration."""
    return _of("backfills", dag_id)


@shells.get("/start", dependencies=[MAY_READ])
def start_page(dag_id: Id) -> Response:
    """The form of a DAG, filled with what the address says."""
    return _of("start", dag_id)


@shells.get("/schemas", dependencies=[MAY_READ])
def schemas_page(dag_id: Id) -> Response:
    """Where the databases of a migration of schemas are."""
    return _of("schemas", dag_id)


@shells.get("/lens", dependencies=[MAY_READ])
def lens_page(dag_id: Id, run_id: Annotated[str, Query(max_length=250)] = "") -> Response:
    """What became of a row; `run_id` is the run whose page led here."""
    return _of("lens", dag_id, run_id)


@shells.get("/expectation", dependencies=[MAY_READ])
def expectation_page(dag_id: Id) -> Response:
    """What became of an expectation in the runs of a DAG."""
    return _of("expectation", dag_id)


app.include_router(shells)
app.include_router(index.router, dependencies=[Depends(requires_authenticated())])
app.include_router(one_run.router, dependencies=[MAY_READ])
app.include_router(start.router, dependencies=[MAY_READ])
app.include_router(views.of_dag, dependencies=[MAY_READ])
app.include_router(switches.router, dependencies=[MAY_READ])
app.include_router(backfills.router, dependencies=[MAY_READ])
app.include_router(undoing.router, dependencies=[MAY_READ])
app.include_router(schemas.router, dependencies=[MAY_READ])
app.include_router(rows.router, dependencies=[MAY_READ])
app.include_router(downloads.router, dependencies=[MAY_READ])
app.include_router(data_docs.router, dependencies=[MAY_READ])
app.include_router(expectations.router, dependencies=[MAY_READ])


@app.exception_handler(TrueupError)
def refused(_: Request, error: TrueupError) -> Response:
    """What the engine could not do: not there (404), or not to be had now (503); the message says what to do."""
    status = 404 if isinstance(error, ArtifactError) else 503
    return JSONResponse({"detail": str(error)}, status_code=status)


@app.exception_handler(AirflowNotFoundException)
@app.exception_handler(AirflowRuntimeError)
def no_connection(_: Request, error: Exception) -> Response:
    """Airflow has no such connection."""
    detail = f"Airflow could not give a connection that the pages need: {error}. Set it, and restart the API server."
    return JSONResponse({"detail": detail}, status_code=503)
