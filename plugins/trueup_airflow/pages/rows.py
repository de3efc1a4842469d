"""Every row of a run, a page at a time, and what became of one row in all runs: `include/trueup/report/lens` as JSON."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from airflow.api_fastapi.core_api.security import GetUserDep
from fastapi import APIRouter, Depends, HTTPException, Query

from include.trueup.ledger import Ledger
from include.trueup.report.lens import browse, count, history, one, search
from include.trueup.report.lens.fates import Sought
from include.trueup.report.lens.rows import Looked, keys_of

from .. import connections, looking
from . import scheduled
from .rights import may
from .views import Asked

router = APIRouter(prefix="/data/dags/{dag_id}")


def _turn() -> Iterator[None]:
    """Few look into files at once: each may hold what a step of a run may."""
    with looking.turn() as free:
        if not free:
            detail = "Others look at rows just now, and take all that this server has for it."
            raise HTTPException(503, detail, headers={"Retry-After": "5"})
        yield


Turn = Depends(_turn)


def _book() -> Ledger:
    opened = connections.book()
    if opened is None:
        raise HTTPException(404, "No migration has run on this installation yet, so there are no rows to look at.")
    return opened


Book = Annotated[Ledger, Depends(_book)]


def _looked(asked: Asked, book: Book) -> Looked:
    """The run that the path names, to be looked at."""
    row = book.run(asked.id)
    if row is None:
        raise HTTPException(404, "The run is not in the ledger: it has not begun, or ended before its first step.")
    return history.look(looking.migration(row.migration_id), looking.shelf(), row)


Run = Annotated[Looked, Depends(_looked)]


def _asked(
    verb: Annotated[str, Query(max_length=20)] = "",
    phase: Annotated[str, Query(max_length=100)] = "",
    key: Annotated[str, Query(max_length=2_000)] = "",
    text: Annotated[str, Query(max_length=500)] = "",
    code: Annotated[str, Query(max_length=100)] = "",
) -> search.Asked:
    return search.Asked(verb=verb, phase=phase, key=key, text=text, code=code)


Which = Annotated[search.Asked, Depends(_asked)]


@router.get("/runs/{run_id}/rows", dependencies=[Turn])
def some_rows(
    run: Run,
    book: Book,
    which: Which,
    after: Annotated[str | None, Query(max_length=300)] = None,
    size: Annotated[int, Query(ge=1, le=100)] = 25,
) -> browse.Page:
    """A page of the run's rows."""
    return browse.page(run, book, which, after=after, size=size)


@router.get("/runs/{run_id}/rows/total", dependencies=[Turn])
def how_many(run: Run, book: Book, which: Which) -> browse.Total:
    """How many rows are so."""
    return browse.total(run, book, which)


@router.get("/runs/{run_id}/rows/summary", dependencies=[Turn])
def what_there_is(run: Run, book: Book) -> count.Summary:
    """What rows the run has, and what its source rows make."""
    return count.summary(run, book)


@router.get("/runs/{run_id}/rows/one", dependencies=[Turn])
def one_row(run: Run, book: Book, at: Annotated[str, Query(min_length=1, max_length=300)]) -> one.Whole:
    """A row, whole."""
    whole = one.one(run, book, at)
    if whole is None:
        raise HTTPException(404, f"The run has no row {at!r}: it was planned again meanwhile, or never had one.")
    return whole


@router.get("/lens", dependencies=[Turn])
def lens(
    dag_id: str,
    book: Book,
    user: GetUserDep,
    key: Annotated[str, Query(min_length=1, max_length=2_000)],
    since: Annotated[str | None, Query(max_length=250)] = None,
) -> history.History:
    """What became of a key, of a source row or a target row, in the migration's runs."""
    migration = looking.migration(scheduled.migration_id(dag_id))
    sought = Sought(keys=keys_of(key))
    return history.history(
        migration, book, looking.shelf(), sought, since=since, of_dags=lambda other: may(user, "GET", other)
    )
