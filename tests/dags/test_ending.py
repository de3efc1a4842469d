"""The task `verdict`: no run ends well by a report that the ledger knows nothing of."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from airflow.sdk.exceptions import AirflowFailException

from include.embedded import postgres
from include.trueup.errors import ArtifactError, OptionsError
from tests.dags import states
from tests.harness import run_sql


@pytest.fixture
def small(
    postgres_server: postgres.Server, ledger_template: str, tmp_path: Path, airflow_database: None
) -> Iterator[states.Small]:
    made = states.Small(postgres_server, tmp_path / "place", ledger_template)
    with states.connected(made.place, store=lambda _: made.database.store):
        yield made


def test_a_report_that_is_left_of_a_run_which_the_ledger_has_forgotten(small: states.Small) -> None:
    run = small.forward("a")
    small.all(run)
    run.do("verdict")
    run_sql(small.place.uris[0], "TRUNCATE trueup.runs CASCADE")
    with pytest.raises(ArtifactError, match="by the ledger it is not there"):
        run.do("verdict")


def test_a_proven_run_that_is_asked_for_again_does_not_end_well(small: states.Small) -> None:
    """Somebody cleared it as a whole, or deleted it in Airflow and triggered it anew under its name: nothing of that is done. One of
    which a single task is cleared is proven."""
    run = small.forward("a")
    small.all(run)
    refused = run.do_from("copy.verify")
    assert refused is not None
    assert refused[0] == "copy.verify"
    run.do("verdict")
    refused = run.do_from("preflight")
    assert refused is not None
    assert refused[0] == "preflight"
    with pytest.raises(AirflowFailException, match="refused by the task preflight, and nothing of it was done"):
        run.do("verdict")


def test_a_rollback_under_the_name_of_another_undoes_no_other_run_than_it_is_asked_for(small: states.Small) -> None:
    small.all(small.forward("a"))
    small.database.sql("UPDATE people SET name = 'Other'")
    small.all(small.forward("b"))
    small.back("back", run="b").do("preflight")
    with pytest.raises(OptionsError, match="is entered as a rollback of run small--b, and 'a' is another one"):
        small.back("back", run="a").do("preflight")
    small.all(small.back("back", run="b"))
    small.all(small.back("other", run="a"))
    assert small.held() == {}
