"""The switch of a migration: an application in any language reads its settings here."""

from __future__ import annotations

from datetime import datetime

from fastapi import APIRouter, Request
from fastapi.responses import Response
from pydantic import BaseModel, Field

from include.routes import FIND, ProblemError, documented, tagged
from include.trueup.cutover import switch
from include.trueup.errors import ArtifactError
from include.trueup.ledger import SwitchState

from .. import connections, looking
from .access import MigrationId, reads_runs_of

router = APIRouter()


class Switch(BaseModel):
    """Where the switch of a migration stands, and what it says."""

    migration: str
    state: SwitchState
    settings: dict[str, str | bool] = Field(description="The settings in this state, by name.")
    since: datetime | None = Field(description="When it was turned to this state; null if it was never turned.")
    by: str | None = Field(description="Who turned it.")
    reason: str | None = Field(description="Why it was turned.")


@router.get(
    "/v2/switches/{migration_id}",
    dependencies=[reads_runs_of("migration_id")],
    response_model=Switch,
    responses=documented(304, *FIND),
    operation_id="get_switch",
    tags=["migrations"],
)
def get_switch(migration_id: MigrationId, request: Request) -> Response:
    """The switch of a migration with its settings, as of now. Ask as often as you like, with If-None-Match: while nothing
    is turned, the answer is 304."""
    try:
        migration = looking.migration(migration_id)
    except ArtifactError:
        migration = None
    if migration is None or not migration.settings:
        raise ProblemError(
            404, "no-switch", "The migration has no switch", f"{migration_id!r} is no migration with settings."
        )
    current = switch.now(connections.ledger(), migration)
    turned = current.turned
    return tagged(
        request,
        {
            "migration": migration.id,
            "state": current.state,
            "settings": current.settings,
            "since": turned.at.isoformat() if turned else None,
            "by": turned.turned_by if turned else None,
            "reason": turned.why if turned else None,
        },
    )
