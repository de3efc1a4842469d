"""Where the databases of a migration of schemas are now: asked of each when the page is."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from airflow.sdk.exceptions import AirflowNotFoundException, AirflowRuntimeError
from fastapi import APIRouter

from include.trueup.declare.environment import environment, is_live
from include.trueup.errors import TrueupError
from include.trueup.schema import AlembicHistory, SchemaMigration, describe
from include.trueup.schema.history import NOWHERE, History
from include.trueup.stores.parameters import Ask

from .. import connections
from . import about, scheduled

router = APIRouter(prefix="/data/dags/{dag_id}")
PATIENCE = 3
"""Seconds that a database has to answer, and to give a lock."""


@dataclass(frozen=True, kw_only=True)
class Step:
    """A revision of a database, and whether that has run it."""

    revision: str
    title: str
    phase: int
    done: bool


@dataclass(frozen=True, kw_only=True)
class Database:
    """A database. `place`: as its server says; `heads`: the revisions that it is at. `phase` is the one that it is at (-1: none
    yet), up to `until` where later ones hold nothing of it; None where it is `between` two, or where `error` says why that is
    not known."""

    id: str
    connection: str
    place: str | None = None
    heads: tuple[str, ...] = ()
    phase: int | None = None
    until: int | None = None
    between: tuple[int, int] | None = None
    steps: tuple[Step, ...] = ()
    error: str | None = None


@dataclass(frozen=True, kw_only=True)
class Phase:
    """A phase of the migration."""

    number: int
    title: str


@dataclass(frozen=True, kw_only=True)
class Schemas:
    """Where the databases are. `there`: the DAG is of a migration of schemas; `phase`: the one that all are at (-1: none yet),
    None where there is none, or where that is not known."""

    dag_id: str
    title: str = ""
    there: bool = False
    environment: str = ""
    live: bool = False
    phase: int | None = None
    known: bool = False
    databases: tuple[Database, ...] = ()
    phases: tuple[Phase, ...] = field(default=())


@router.get("/schemas")
def schemas(dag_id: str) -> Schemas:
    """Where the databases of a migration of schemas are."""
    declared = about.declared(scheduled.migration_id(dag_id))
    name = environment()
    if not isinstance(declared, SchemaMigration):
        return Schemas(dag_id=dag_id, environment=name, live=is_live(name))
    with ThreadPoolExecutor(len(declared.histories)) as asking:
        databases = tuple(asking.map(_database, declared.histories))
    at = [set(range(d.phase, (d.phase if d.until is None else d.until) + 1)) for d in databases if d.phase is not None]
    shared = set.intersection(*at) if len(at) == len(databases) else set()
    return Schemas(
        dag_id=dag_id,
        title=declared.title,
        there=True,
        environment=name,
        live=is_live(name),
        phase=min(shared) if shared else None,
        known=all(database.error is None for database in databases),
        databases=databases,
        phases=tuple(Phase(number=phase.number, title=phase.title) for phase in declared.phases),
    )


def _database(declared: AlembicHistory) -> Database:
    try:
        history = History(declared)
        steps = history.steps((), max(history.phases.values(), default=NOWHERE))
        database = _soon(connections.database(declared.connection))
        with describe.connected(database, "look at its revision", lock_timeout=PATIENCE, idle=PATIENCE) as connection:
            connection.exec_driver_sql(f"SET statement_timeout = '{PATIENCE}s'")
            heads, place = history.heads(connection), describe.identity(connection)
        done, between = history.applied(heads), history.between(heads)
        stands = None if between else history.standing(heads)
    except (TrueupError, AirflowNotFoundException, AirflowRuntimeError) as error:
        return Database(id=declared.id, connection=declared.connection, error=str(error))
    return Database(
        id=declared.id,
        connection=declared.connection,
        place=place,
        heads=heads,
        phase=None if stands is None else stands.start,
        until=None if stands is None else stands[-1],
        between=between,
        steps=tuple(Step(revision=s.revision, title=s.title, phase=s.phase, done=s.revision in done) for s in steps),
    )


def _soon(ask: Ask) -> Ask:
    """The same database, which is given up where it does not answer."""
    return lambda: {**ask(), "connect_timeout": str(PATIENCE)}
