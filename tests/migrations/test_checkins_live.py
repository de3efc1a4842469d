"""Check-ins that come in while the migration runs: every one is there and linked in the end, and no proof says what is not so."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import suppress
from itertools import count
from typing import Any

import pytest

from include.migrations.checkins import sample
from include.migrations.checkins.migration import migration
from include.migrations.checkins.sample_dirt import assignment, n, response, s
from include.migrations.checkins.serving import IndexMissingError, compare, get_assignments
from include.migrations.checkins.shadow import bad_links
from include.migrations.checkins.submitting import RefusedError, Series, Submission, begin, submit
from include.trueup.errors import GateError
from include.trueup.ledger import Ledger
from include.trueup.run.workspace import Workspace
from include.trueup.steps import Step
from include.trueup.stores.dynamodb import DynamoDBStore
from include.trueup.walk import walk
from tests.harness import fastest_engine, items, run_of, store_at

ASSIGNMENTS, RESPONSES = "check-in-assignments", "form-responses"
CLIENTS, WEEKS = 25, 5


@pytest.fixture
def store() -> Iterator[DynamoDBStore]:
    """A DynamoDB with a series of each client, of which some weeks are answered and one is there already."""
    with fastest_engine() as engine:
        made = store_at(engine.endpoint)
        for table in sample.TABLES:
            sample._create(made.client, table)
        for client in range(CLIENTS):
            name = f"c{client}"
            rows = [
                (
                    ASSIGNMENTS,
                    assignment(f"{name}/1", name, "f", totalWeeks=n(WEEKS), dueDate=s("2026-01-05T08:00:00Z")),
                ),
                (RESPONSES, response(f"{name}/r1", name, "f", 1)),
            ]
            if client % 2:
                rows.append((RESPONSES, response(f"{name}/r2", name, "f", 2)))
            for table, item in rows:
                made.client.put_item(TableName=table, Item=item)
        yield made


class Application:
    """Clients who submit and begin series all the time; as before the migration where its index is not there yet."""

    def __init__(self, store: DynamoDBStore) -> None:
        self._store, self._numbers, self._stop = store, count(), threading.Event()
        self.sent: list[str] = []
        self.errors: list[BaseException] = []

    def once(self) -> None:
        """One client submits a response, or begins a series."""
        number = next(self._numbers)
        client = f"c{number % CLIENTS}"
        if number % 20 == 19:
            series = Series(form_id=f"g{number}", total_weeks=3, due_date="2026-02-02")
            begin(self._store, client, series, pre_created=False)
            return
        id, week = f"live-{number}", 3 + number // CLIENTS
        try:
            open_ = [a for a in get_assignments(self._store, client) if a["status"] == "pending" and a["formId"] == "f"]
            with suppress(RefusedError):  # the week got another response meanwhile: the client is told so
                if open_:
                    done = submit(self._store, client, open_[0]["id"], Submission(answers={}, id=id), pre_created=False)
                    self.sent.append(done.response["id"])
        except IndexMissingError:
            if week <= WEEKS:
                self._store.client.put_item(TableName=RESPONSES, Item=response(id, client, "f", week))
                self.sent.append(id)

    def __enter__(self) -> Application:
        self._thread = threading.Thread(target=self._work)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _work(self) -> None:
        try:
            while not self._stop.is_set():
                self.once()
        except BaseException as error:
            self.errors.append(error)


def test_clients_submit_while_it_runs_and_nothing_is_lost(
    store: DynamoDBStore, ledger: Ledger, workspace: Workspace
) -> None:
    application = Application(store)

    def between(_: Step) -> None:
        application.once()

    with application, suppress(GateError):  # what was submitted to a week that the run added is not as planned
        walk(run_of(migration, ledger, workspace, lambda _: store, "first", partitions=2), seen=between)
    assert application.errors == []
    first = workspace.run("first").read_json("report.json")
    before = {table: {i["id"]["S"]: i for i in items(store, table)} for table in (ASSIGNMENTS, RESPONSES)}
    assert len(application.sent) > 10
    assert {*application.sent} <= before[RESPONSES].keys()
    wrong = sum(p["missing"] + p["different"] + p["unverified"] for p in first["proof"])
    assert (first["verdict"]["proof"] == "not_proven") is (wrong > 0 or first["verdict"]["status"] == "failed")

    # the next run takes in what came meanwhile, and is proven
    caught_up = run_of(migration, ledger, workspace, lambda _: store, "second")
    assert walk(caught_up).status == "passed"
    report: dict[str, Any] = caught_up.folder.read_json("report.json")
    assert report["verdict"]["proof"] == "proven"
    assert {a["title"]: a["answer"] for a in report["statements"]}["All links valid"] == "YES"
    assert bad_links(store) == (0, ())
    after = {table: {i["id"]["S"]: i for i in items(store, table)} for table in (ASSIGNMENTS, RESPONSES)}
    of_week = {(i["clientId"]["S"], i["formId"]["S"], i["recurringWeek"]["N"]): i for i in after[ASSIGNMENTS].values()}
    for id in application.sent:
        row = after[RESPONSES][id]
        held = of_week[row["clientId"]["S"], row["formId"]["S"], row["recurringWeek"]["N"]]
        linked = (row.get("assignmentId"), held["responseId"]) == (held["id"], row["id"])
        later = after[RESPONSES][held["responseId"]["S"]]["submittedAt"]["S"] >= row["submittedAt"]["S"]
        assert linked or later, id  # of two of a week, the later one counts
    assert [c for c in compare(store) if not c.same] == []
