"""The DAGs checkins_shadow and checkins_cutover: the turn is refused while a list differs or a link is wrong, and done when none
is."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from include.embedded import postgres
from include.migrations.checkins import sample
from include.migrations.checkins.migration import migration
from include.migrations.checkins.serving import compare
from tests.dags.small import refusals, run
from tests.harness import items
from tests.samples import Migrated, Samples, few

ASSIGNMENTS = "check-in-assignments"


@pytest.fixture
def migrated(
    samples: Samples,
    postgres_server: postgres.Server,
    connections: Any,
    airflow_database: None,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Migrated]:
    """Check-ins after a first run, known to Airflow with the ledger and the workspace of that run."""
    with samples.migrated(migration, sample, few) as there:
        connections("checkins_dynamodb", there.store.client.meta.endpoint_url)
        at = {"conn_type": "postgres", "host": str(postgres_server.socket_dir), "login": "postgres"}
        name = there.ledger._engine.url.database
        monkeypatch.setenv("AIRFLOW_CONN_TRUEUP_LEDGER", json.dumps({**at, "schema": name}))
        monkeypatch.setenv("TRUEUP_WORKSPACE", there.workspace.location("").rstrip("/"))
        yield there


def cut_over(**conf: Any) -> str:
    return str(run("checkins_cutover", **{"why": "for the test", "approval": False, **conf}).state)


def test_the_turn_waits_for_a_comparison_without_a_difference_and_for_links_that_are_right(migrated: Migrated) -> None:
    folder, switches = migrated.workspace.location(""), migrated.ledger.switches
    assert cut_over() == "failed", "nobody has compared"
    assert "no shadow comparison of it has come to an end. Trigger checkins_shadow" in refusals(folder)[-1][1]
    added = next(
        i
        for i in items(migrated.store, ASSIGNMENTS)
        if i.get("clientId") == {"S": "client-000-000"} and "coachId" in i and i["recurringWeek"] != {"N": "1"}
    )
    migrated.store.client.put_item(TableName=ASSIGNMENTS, Item={**added, "title": {"S": "changed by hand"}})
    assert [each.client_id for each in compare(migrated.store) if not each.same] == ["client-000-000"]

    assert run("checkins_shadow").state == "failed"
    assert cut_over() == "failed"
    assert "found 1 of " in refusals(folder)[-1][1]
    assert "to differ: client-000-000. Trigger checkins_shadow" in refusals(folder)[-1][1]
    assert switches.state("checkins") == "legacy"

    migrated.store.client.put_item(TableName=ASSIGNMENTS, Item=added)
    assert cut_over() == "failed", "it is mended, but nobody has compared since"
    assert run("checkins_shadow").state == "success"
    assert cut_over() == "success"
    assert cut_over(to="new") == "failed", "the sample has links that no rule touches"
    assert "links that are wrong" in refusals(folder)[-1][1]
    assert switches.state("checkins") == "dual"
    assert cut_over(to="new", max_bad_links=99) == "success"
    assert next((turn.from_state, turn.to_state) for turn in switches.turns("checkins")) == ("dual", "new")
    assert cut_over(to="dual") == "success", "the way back asks for nothing"
