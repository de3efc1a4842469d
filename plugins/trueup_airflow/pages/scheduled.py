"""What Airflow knows of migrations and their runs, read from its own database."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any

from airflow.models.dag import DagModel, DagTag
from airflow.models.dagrun import DagRun
from airflow.models.serialized_dag import SerializedDagModel
from airflow.models.taskinstance import TaskInstance
from airflow.utils.session import create_session
from pydantic import JsonValue
from sqlalchemy import or_, select

from include.trueup.ledger import Ledger, RunRow
from include.trueup.run import former_run_id
from include.trueup.run import run_id as ledger_id

TAGS = frozenset({"trueup", "migration"})
COMPANIONS = ("_rollback", "_cutover")
"""What the ids of the DAGs that belong to a migration's DAG end with."""
GOING_ON = ("queued", "running")
"""States of a run of Airflow that is not over."""


@dataclass(frozen=True, kw_only=True)
class MigrationDag:
    """A migration's DAG; `companions` are those of its other DAGs that are there."""

    dag_id: str
    title: str
    paused: bool
    companions: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class AskedRun:
    """A run of a DAG, as Airflow has it. `id` is its id in ledger and workspace; `conf`, what it was triggered with; `kind`,
    Airflow's word for how it came about (manual, backfill, scheduled)."""

    id: str
    dag_id: str
    run_id: str
    state: str
    paused: bool
    ours: bool
    started_at: datetime | None
    ended_at: datetime | None
    kind: str = "manual"
    conf: Mapping[str, JsonValue] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Task:
    """A task of a DAG: its group (a phase, or None), its own name in it, and what it does, in words."""

    task_id: str
    group: str | None
    name: str
    title: str


@dataclass(frozen=True, kw_only=True)
class Instance:
    """A task of a run, or one part of it where it is mapped (`part` ≥ 0). `tries` are those begun."""

    task_id: str
    part: int
    state: str | None
    tries: int
    max_tries: int
    started_at: datetime | None
    ended_at: datetime | None


def migration_id(dag_id: str) -> str:
    """The migration that a DAG belongs to."""
    for companion in COMPANIONS:
        dag_id = dag_id.removesuffix(companion)
    return dag_id


def is_ours(dag_id: str) -> bool:
    """Whether the DAG is a migration's, or belongs to one."""
    with create_session() as session:
        tags = set(session.scalars(select(DagTag.name).where(DagTag.dag_id == migration_id(dag_id))))
    return tags >= TAGS


def companions(migration: str) -> list[str]:
    """What the ids of those of the migration's other DAGs end with that are there."""
    ids = [migration + companion for companion in COMPANIONS]
    with create_session() as session:
        query = select(DagModel.dag_id).where(DagModel.dag_id.in_(ids), DagModel.is_stale.is_(False))
        return sorted(id.removeprefix(migration) for id in session.scalars(query))


def migrations(readable: Iterable[str]) -> list[MigrationDag]:
    """The migrations among the DAGs that may be read, by title."""
    readable = set(readable)
    with create_session() as session:
        query = select(DagModel).where(DagModel.is_stale.is_(False))
        for tag in sorted(TAGS):
            query = query.where(DagModel.tags.any(DagTag.name == tag))
        models = {model.dag_id: model for model in session.scalars(query)}
        every = set(session.scalars(select(DagModel.dag_id).where(DagModel.is_stale.is_(False)))) & readable
        dags = [
            MigrationDag(
                dag_id=dag_id,
                title=model.dag_display_name or dag_id,
                paused=bool(model.is_paused),
                companions=tuple(c for c in COMPANIONS if dag_id + c in every),
            )
            for dag_id, model in models.items()
            if dag_id in readable and not dag_id.endswith(COMPANIONS)
        ]
    return sorted(dags, key=lambda m: (m.title.casefold(), m.dag_id))


def run(dag_id: str, run_id: str, book: Ledger | None) -> AskedRun | None:
    """The run, or None if Airflow has none of that id. `book`: the ledger, if there is one."""
    with create_session() as session:
        dag_run = session.scalar(select(DagRun).where(DagRun.dag_id == dag_id, DagRun.run_id == run_id))
        if dag_run is None:
            return None
        model = session.get(DagModel, dag_id)
        tags = {tag.name for tag in model.tags} if model else set()
        id = ledger_id(dag_id, run_id)
        if book is not None:
            id = book.known_as(id, former_run_id(dag_id, run_id), dag_id, dag_run.run_after)
        return AskedRun(
            id=id,
            dag_id=dag_id,
            run_id=run_id,
            state=str(dag_run.state),
            paused=bool(model and model.is_paused),
            ours="trueup" in tags,
            started_at=dag_run.start_date,
            ended_at=dag_run.end_date,
            kind=str(dag_run.run_type),
            conf=dag_run.conf or {},
        )


def runs(
    dag_ids: Iterable[str], limit: int, rows: Iterable[RunRow], also: Mapping[str, Sequence[str]] | None = None
) -> dict[str, AskedRun]:
    """The newest runs of these DAGs, at most `limit` each, and whatever older ones go on or are named (`also`: ids of runs, by
    DAG), by their id in the ledger, whose rows are `rows`."""
    by_id: dict[str, AskedRun] = {}
    former = {row.run_id: row.started_at for row in rows if row.airflow_run_id is None}
    with create_session() as session:
        for dag_id in dag_ids:
            columns = (DagRun.run_id, DagRun.state, DagRun.start_date, DagRun.end_date, DagRun.run_after)
            every = select(*columns).where(DagRun.dag_id == dag_id)
            named = or_(DagRun.state.in_(GOING_ON), DagRun.run_id.in_((also or {}).get(dag_id, ())))
            newest = session.execute(every.order_by(DagRun.id.desc()).limit(limit)).all()
            for row in {*newest, *session.execute(every.where(named)).all()}:
                id = former_run_id(dag_id, row.run_id)
                if id not in former or row.run_after > former[id]:
                    id = ledger_id(dag_id, row.run_id)
                facts = {"dag_id": dag_id, "run_id": row.run_id, "paused": False, "ours": True}
                by_id[id] = AskedRun(
                    id=id, state=str(row.state), started_at=row.start_date, ended_at=row.end_date, **facts
                )
    return by_id


def confs(dag_id: str, limit: int, only: str | None = None) -> list[tuple[AskedRun, Mapping[str, JsonValue]]]:
    """The newest runs of a DAG that does not belong to a migration, at most `limit`, with what each was asked; `only`: that run."""
    query = select(DagRun).where(DagRun.dag_id == dag_id).order_by(DagRun.id.desc()).limit(limit)
    if only is not None:
        query = query.where(DagRun.run_id == only)
    with create_session() as session:
        return [(asked_run(run), dict(run.conf or {})) for run in session.scalars(query)]


def asked_run(run: DagRun) -> AskedRun:
    """A run of a DAG of ours, which began under no id of the first release."""
    return AskedRun(
        id=ledger_id(run.dag_id, run.run_id),
        dag_id=run.dag_id,
        run_id=run.run_id,
        state=str(run.state),
        paused=False,
        ours=True,
        started_at=run.start_date,
        ended_at=run.end_date,
    )


def instances(dag_id: str, run_id: str) -> list[Instance]:
    """Every task and part of a run so far."""
    names = ("task_id", "map_index", "state", "try_number", "max_tries", "start_date", "end_date")
    columns = [getattr(TaskInstance, name) for name in names]
    query = select(*columns).where(TaskInstance.dag_id == dag_id, TaskInstance.run_id == run_id)
    with create_session() as session:
        return [
            Instance(
                task_id=row.task_id,
                part=row.map_index,
                state=None if row.state is None else str(row.state),
                tries=row.try_number,
                max_tries=row.max_tries + 1,
                started_at=row.start_date,
                ended_at=row.end_date,
            )
            for row in session.execute(query)
        ]


def waiting(dag_ids: Iterable[str]) -> set[tuple[str, str]]:
    """Those runs (DAG's id, run's id) that wait for a person."""
    query = select(TaskInstance.dag_id, TaskInstance.run_id).where(
        TaskInstance.dag_id.in_(list(dag_ids)), TaskInstance.state == "awaiting_input"
    )
    with create_session() as session:
        return {(row.dag_id, row.run_id) for row in session.execute(query)}


def tasks(dag_id: str) -> list[Task]:
    """The DAG's tasks, in order; none if Airflow does not know the DAG."""
    query = select(SerializedDagModel.dag_hash).where(SerializedDagModel.dag_id == dag_id)
    with create_session() as session:
        version = session.scalar(query.order_by(SerializedDagModel.created_at.desc()).limit(1))
    return [] if version is None else list(_tasks(dag_id, version))


@lru_cache(maxsize=64)
def _tasks(dag_id: str, _: str) -> tuple[Task, ...]:
    serialized = SerializedDagModel.get_dag(dag_id)
    return () if serialized is None else tuple(_in_order(serialized.task_group))


def _in_order(group: Any) -> Iterator[Task]:
    for child in group.topological_sort():
        if hasattr(child, "topological_sort"):
            yield from _in_order(child)
        else:
            name = child.task_id.removeprefix(f"{group.group_id}.") if group.group_id else child.task_id
            yield Task(task_id=child.task_id, group=group.group_id, name=name, title=(child.doc_md or "").strip())
