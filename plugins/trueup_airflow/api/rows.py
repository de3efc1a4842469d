"""What became of a row: the last word of the runs on it, of any migration of rows."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import Response
from pydantic import BaseModel, Field

from include.routes import FIND, ProblemError, answer, documented
from include.trueup.errors import ArtifactError, StoreUnavailableError
from include.trueup.report.lens import answer as answers
from include.trueup.run import to_values

from .. import connections, looking
from .access import MigrationId, reads_runs_of

router = APIRouter()


class TargetRow(BaseModel):
    """A target row that comes of the source row."""

    table: str
    key: str
    verb: str = Field(description="add, change, keep, drift, remove or extra.")


class RowFinding(BaseModel):
    """What the run found of the row."""

    phase: str
    table: str
    key: str
    severity: str
    code: str
    message: str


class Row(BaseModel):
    """What the last run that accounted for a row made of it."""

    run: str = Field(description="The run's id in Trueup's ledger.")
    source: str | None = Field(description="The source; null for a target row that no source row gives.")
    key: str | None = Field(description="The source row's key; of several columns a JSON array.")
    fate: str = Field(description="written, kept, rejected or skipped.")
    rule: str | None = Field(
        description="The code by which it is so; `planned` where the run has not written it (yet), "
        "`rolled_back` where what it wrote is undone."
    )
    targets: list[TargetRow]
    findings: list[RowFinding]


@router.get(
    "/v2/migrations/{id}/rows",
    dependencies=[reads_runs_of("id")],
    response_model=Row,
    responses=documented(*FIND),
    operation_id="get_row",
    tags=["migrations"],
)
def get_row(
    id: MigrationId,
    key: Annotated[
        str,
        Query(min_length=1, max_length=2_000, description="The row's key; of several columns a JSON array of texts."),
    ],
    source: Annotated[
        str | None, Query(max_length=250, description="Of which source: its id, or its table's name.")
    ] = None,
    target: Annotated[
        str | None, Query(max_length=250, description="Or of which target: its id, or its table's name.")
    ] = None,
) -> Response:
    """What became of a row of a source, or where a row of a target comes from, by the last run that accounted for it."""
    if (source is None) == (target is None):
        raise _invalid("Say source, or target: the table whose key it is; one of the two.")
    try:
        migration = looking.migration(id)
        asked = answers.of_source(migration, source, key) if source else answers.of_target(migration, target or "", key)
        ledger = connections.book()
        if ledger is None:
            raise _unknown("No migration has run on this installation yet.")
        with looking.turn() as free:
            if not free:
                raise StoreUnavailableError("too many requests look at rows now")
            return answer(to_values(answers.last(migration, ledger, looking.shelf(), asked)))
    except answers.KeyFormError as error:
        raise _invalid(str(error)) from error
    except (answers.UnknownRowError, ArtifactError) as error:
        raise _unknown(str(error)) from error


def _invalid(detail: str) -> ProblemError:
    return ProblemError(422, "invalid-request", "The request is not valid", _sentence(detail))


def _unknown(detail: str) -> ProblemError:
    return ProblemError(404, "unknown-row", "There is no such row", _sentence(detail))


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:].rstrip('.')}."
