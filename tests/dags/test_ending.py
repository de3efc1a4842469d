"""The task `verdict`: no run ends well by a report that the ledger knows nothing of."""

from __future__ import annotations

from pathlib import Path

import pytest

from include.embedded import postgres
from include.trueup.errors import ArtifactError
from tests.dags import states
from tests.harness import run_sql


def test_a_report_that_is_left_of_a_run_which_the_ledger_has_forgotten(
    postgres_server: postgres.Server, ledger_template: str, tmp_path: Path, airflow_database: None
) -> None:
    small = states.Small(postgres_server, tmp_path / "place", ledger_template)
    with states.connected(small.place, store=lambda _: small.database.store):
        run = small.forward("a")
        small.all(run)
        run.do("verdict")
        run_sql(small.place.uris[0], "TRUNCATE trueup.runs CASCADE")
        with pytest.raises(ArtifactError, match="by the ledger it is not there"):
            run.do("verdict")
