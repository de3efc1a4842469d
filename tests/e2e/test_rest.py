"""Over Airflow's REST API, as any client: what is triggered, cleared, marked, answered and tried again ends in a refusal that
says why, or as it should."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
import pytest

from include.embedded import postgres
from include.embedded.airflow_api import AirflowApi, AirflowRefusedError
from include.embedded.home import Home
from include.trueup.ledger.tables import LEASE_LOCK
from include.trueup.run import run_id
from include.trueup.run.workspace import Workspace
from tests.harness import run_sql
from tests.small import CREATE, ROWS

from .conftest import launched
from .rest import DAG, Client, wait_for

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
LEASE = 30.0
SHA256 = re.compile("[0-9a-f]{64}")


@dataclass(frozen=True)
class Stack:
    """A stack that is up: people in its database, runs in its ledger."""

    client: Client
    uri: str
    ledger_uri: str
    workspace: Workspace

    def sql(self, *statements: str) -> list[tuple[Any, ...]]:
        return run_sql(self.uri, *statements)

    def persons(self) -> dict[str, tuple[Any, ...]] | None:
        """The target by id; None where there is none."""
        if self.sql("SELECT to_regclass('persons')::text") == [(None,)]:
            return None
        return {row[0]: row[1:] for row in self.sql(ROWS.format("persons"))}

    def should(self, where: str = "true") -> dict[str, tuple[Any, ...]]:
        rows = self.sql(f"SELECT id, name, amount, seen_at FROM people WHERE {where}")
        return {id: (name.upper(), *more) for id, name, *more in rows}

    def status(self, id: str) -> str:
        found = run_sql(self.ledger_uri, f"SELECT status FROM trueup.runs WHERE airflow_run_id = '{id}'")
        return str(found[0][0])

    def report(self, id: str) -> dict[str, Any]:
        return dict(self.workspace.run(run_id(DAG, id)).read_json("report.json"))

    def planned(self, id: str) -> str | None:
        """The hash of the plan that the run has now."""
        query = f"SELECT plan_sha256 FROM trueup.runs WHERE airflow_run_id = '{id}'"
        return run_sql(self.ledger_uri, query)[0][0]

    def error(self, id: str) -> str:
        """What the run's report says that it failed by."""
        return str(self.report(id)["run"]["failed"]["error"])


@pytest.fixture(scope="module")
def up(home: Home) -> Stack:
    folder = str(Path(__file__).parent / "small_dags")
    started = launched(home, "up", TRUEUP_DAGS_FOLDER=folder, TRUEUP_LEASE_SECONDS=str(LEASE))
    said, _ = started.communicate(timeout=240)
    assert started.returncode == 0, said
    address = re.search(r"http://localhost:(\d+)", said)
    assert address, said
    client = Client(AirflowApi(f"http://127.0.0.1:{address[1]}", password=home.passwords()["admin"]))
    server = postgres.find(home.postgres)
    assert server
    wait_for(lambda: client.api.has_dag(DAG), client.api.import_errors)
    client.call("PATCH", "", {"is_paused": False})
    return Stack(client, server.uri("scoring"), server.uri("trueup"), Workspace(str(home.workspace)))


@pytest.fixture
def stack(up: Stack) -> Stack:
    """Six people of six days, no target, and a ledger that knows of no run."""
    up.sql("DROP TABLE IF EXISTS people, persons", CREATE.format("people"))
    up.sql("INSERT INTO people SELECT 'p' || n, 'name ' || n, n, '2025-01-01 12:00Z'::timestamptz + n * interval '1 day' "
           "FROM generate_series(0, 5) n")  # fmt: skip
    if run_sql(up.ledger_uri, "SELECT to_regclass('trueup.runs')::text") != [(None,)]:
        run_sql(up.ledger_uri, "TRUNCATE trueup.runs CASCADE")
    return up


def test_ids_that_differ_in_one_odd_character_are_two_runs(stack: Stack) -> None:
    long = "x" * 239  # Airflow takes 250, and then has no file name for the logs of its tasks
    ids = ["a+b", "a b", "a%2Bb", "A+b", "a+b.", "a.b", "a-b", "\u0430+b", f"{long}a", f"{long}A"]
    made, refused = [], {}
    for id in ids:
        try:
            made.append(stack.client.trigger(id, mode="plan", ignore_columns=["nobody.knows"]))
        except AirflowRefusedError as error:
            refused[id] = error.status
    assert set(refused.values()) <= {400, 422}, refused  # what Airflow lets nobody call a run
    assert {"a+b", "A+b", "a+b.", "a.b", "a-b", f"{long}a", f"{long}A"} <= set(made), refused
    assert {stack.client.ended(id) for id in made} == {"failed"}
    entered = run_sql(stack.ledger_uri, "SELECT airflow_run_id, run_id FROM trueup.runs")
    assert sorted(theirs for theirs, _ in entered) == sorted(made)
    assert len({ours.casefold() for _, ours in entered}) == len(made)
    for theirs, ours in entered:
        assert ours == run_id(DAG, theirs)
        assert stack.report(theirs)["run"]["id"] == ours
        assert "nobody.knows" in stack.error(theirs)


def test_marked_as_done_is_not_done_and_cleared_is_asked_again(stack: Stack) -> None:
    stack.client.trigger("marked", approval=True)
    stack.client.question("marked")
    stack.client.mark("marked", "approve", "success")
    assert stack.client.ended("marked") == "failed"
    assert "is not approved" in stack.error("marked")
    assert stack.persons() is None
    stack.client.clear("marked", "approve")
    stack.client.question("marked")
    assert stack.client.through("marked", "Approve") == "success"
    assert stack.persons() == stack.should()
    before = stack.report("marked")

    stack.sql("DELETE FROM people WHERE id = 'p5'")
    stack.client.clear("marked", "snapshot")
    stack.client.ended("marked")
    assert stack.client.states("marked")["snapshot"] == "failed"
    assert stack.status("marked") == "proven"
    assert stack.report("marked") == before
    assert len(stack.persons() or {}) == 6


def test_marked_as_failed_gives_up_its_place(stack: Stack) -> None:
    stack.client.trigger("given-up", approval=True)
    stack.client.question("given-up")
    stack.client.mark("given-up", "approve", "failed")
    assert stack.client.ended("given-up") == "failed"
    assert stack.status("given-up") == "failed"
    assert stack.report("given-up")["run"]["failed"]["step"] == "approve"
    stack.client.trigger("next", approval=False)
    assert stack.client.ended("next") == "success"
    stack.client.clear("given-up", "create_tables")  # which Airflow does not begin behind a task that failed
    assert stack.client.ended("given-up") == "failed"
    assert stack.client.states("given-up")["create_tables"] == "upstream_failed"
    assert stack.status("given-up") == "failed"
    assert stack.persons() == stack.should()


def test_deleted_while_it_waits_gives_up_its_place_and_its_name_is_not_done_again(stack: Stack) -> None:
    stack.client.trigger("deleted", approval=True)
    stack.client.question("deleted")
    stack.client.delete("deleted")
    stack.client.trigger("after", approval=False)
    assert stack.client.ended("after") == "success"
    assert stack.status("deleted") == "interrupted"
    stack.client.delete("after")
    stack.sql("UPDATE people SET name = 'somebody else' WHERE id = 'p0'")
    stack.client.trigger("after", approval=False)
    assert stack.client.ended("after") == "failed"
    assert stack.client.states("after")["verdict"] == "failed"
    assert stack.status("after") == "proven"


def test_a_ledger_that_is_locked_is_tried_again(stack: Stack) -> None:
    with psycopg.connect(stack.ledger_uri, autocommit=True) as keeper:
        keeper.execute(b"SELECT pg_advisory_lock(%d)" % LEASE_LOCK)
        stack.client.trigger("tried", approval=False)
        states = partial(stack.client.states, "tried")
        wait_for(lambda: states()["preflight"] == "up_for_retry", states)
    assert stack.client.ended("tried") == "success"
    assert stack.client.tries("tried", "preflight") > 1
    assert stack.status("tried") == "proven"
    assert stack.persons() == stack.should()


def test_a_plan_that_changed_between_question_and_answer_is_refused_with_both_hashes(stack: Stack) -> None:
    stack.client.trigger("changed", approval=True)
    question = stack.client.question("changed")
    shown = question["params"]["plan_sha256"]["value"]
    stack.sql("UPDATE people SET name = 'somebody else' WHERE id = 'p0'")
    again = ("snapshot", "shared", "transform", "plan", "plan_gate")
    stack.client.clear("changed", *again, downstream=False)
    now = wait_for(lambda: {stack.planned("changed")} - {shown, None}, lambda: stack.client.states("changed")).pop()
    wait_for(lambda: stack.client.states("changed")["plan_gate"] == "success")
    stack.client.answer(question, "Approve")
    assert stack.client.ended("changed") == "failed"
    said = stack.error("changed")
    assert {shown, now} <= set(SHA256.findall(said)), said
    assert stack.persons() is None


def test_a_backfill_of_three_days_that_is_answered_late_and_out_of_order(stack: Stack) -> None:
    """Each day asks in its turn, whichever comes first; one is rejected and says so, the others are applied."""
    body = {
        "dag_id": DAG,
        "from_date": "2025-01-02T00:00:00Z",
        "to_date": "2025-01-04T00:00:00Z",
        "dag_run_conf": {"approval": True, "partitions": 1, "segments": 1, "max_reject_share": 1},
        "run_backwards": True,
        "max_active_runs": 3,
        "reprocess_behavior": "none",
    }
    stack.client.api._call("POST", "/api/v2/backfills", body)
    answered: dict[str, str] = {}
    days: dict[str, str] = {}
    for choice in ("Approve", "Reject", "Approve"):
        question = stack.client.question()
        id = question["task_instance"]["dag_run_id"]
        if not answered:
            time.sleep(LEASE + 1)  # longer than a lease: its place is kept, and nobody else has come to ask
        assert [detail["task_instance"]["dag_run_id"] for detail in stack.client.asked()] == [id]
        assert id not in answered
        days[id] = stack.client.call("GET", f"/dagRuns/{quote(id, safe='')}")["data_interval_start"][:10]
        answered[id] = choice
        assert stack.client.through(id, choice)
    assert sorted(days.values()) == ["2025-01-02", "2025-01-03", "2025-01-04"]
    for id, choice in answered.items():
        assert stack.client.ended(id) == ("success" if choice == "Approve" else "failed")
        assert stack.status(id) == ("proven" if choice == "Approve" else "failed")
        if choice == "Reject":
            assert "rejected the plan" in stack.error(id)
    applied = ", ".join(f"'{days[id]}'" for id, choice in answered.items() if choice == "Approve")
    assert stack.persons() == stack.should(f"(seen_at AT TIME ZONE 'UTC')::date::text IN ({applied})")
