"""The results of a session, read as the switch of the migration says."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from include.migrations.scoring_results.migration import migration
from include.migrations.scoring_results.serving import get_results, read_from

from . import stores


def results_of(session_id: UUID) -> dict[str, Any]:
    """The payload. Raises `ResultsNotFound`, `StoreUnavailableError`, `StoreRejectedError`."""
    way = read_from(stores.settings(migration))
    with stores.postgres("scoring_postgres") as connection:
        return get_results(connection, session_id, way)
