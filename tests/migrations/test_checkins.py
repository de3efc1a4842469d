"""Check-ins, from the dirty sample to proven tables, against an oracle that knows the contract only."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest

from include.migrations.checkins import sample
from include.migrations.checkins.migration import migration
from include.trueup.errors import GateError, StoreUnavailableError
from include.trueup.ledger import Ledger
from include.trueup.report import report
from include.trueup.run import Mode, Window
from include.trueup.run.workspace import Workspace
from include.trueup.steps import steps
from include.trueup.stores.dynamodb import DynamoDBStore
from include.trueup.walk import walk
from include.trueup.walk.preflight import preflight
from tests.harness import Item, items, run_of, store_at
from tests.migrations.checkins_oracle import Expected, by_id, expected
from tests.samples import Samples, Size, few, whole

ASSIGNMENTS, RESPONSES = "check-in-assignments", "form-responses"


@pytest.fixture
def store(samples: Samples) -> Iterator[DynamoDBStore]:
    """A DynamoDB with the sample, of few rows and every dirty case."""
    with samples.engine(sample, few) as engine:
        yield store_at(engine.endpoint)


def oracle(store: DynamoDBStore) -> Expected:
    return expected(items(store, ASSIGNMENTS), items(store, RESPONSES))


def assert_tables(store: DynamoDBStore, wanted: Expected) -> None:
    assert by_id(items(store, ASSIGNMENTS)) == by_id(wanted.assignments.values())
    assert by_id(items(store, RESPONSES)) == by_id(wanted.responses.values())


def codes(report: dict[str, Any]) -> dict[tuple[str, str], int]:
    return {(f["phase"], f["code"]): f["count"] for f in report["findings"]}


@pytest.mark.parametrize("size", [few, pytest.param(whole, marks=pytest.mark.slow)])
def test_the_whole_migration_and_a_second_run_that_finds_nothing(
    size: Size, samples: Samples, ledger: Ledger, workspace: Workspace
) -> None:
    with samples.engine(sample, size) as engine:
        migrates_and_finds_nothing(store_at(engine.endpoint), ledger, workspace)


def migrates_and_finds_nothing(store: DynamoDBStore, ledger: Ledger, workspace: Workspace) -> None:
    before = {table: {i["id"]["S"]: i for i in items(store, table)} for table in sample.TABLES}
    wanted = oracle(store)
    first = run_of(migration, ledger, workspace, lambda _: store, "first", partitions=3, segments=2)
    assert walk(first, triggered_by="ada").status == "passed"
    assert_tables(store, wanted)

    report = first.folder.read_json("report.json")
    assert report["environment"] == "local"
    (at,) = report["stores"]
    assert at.keys() == {"connection", "kind", "address", "region", "account", "database", "identity"}
    assert (at["connection"], at["kind"], at["database"]) == ("checkins_dynamodb", "dynamodb", None)
    assert at["identity"] == f"dynamodb://{at['address']}/{at['region']}"
    assert codes(report) == Counter((phase, code) for phase, _, code in wanted.findings)
    for phase in report["plan"]["phases"]:
        assert phase["unaccounted"] == 0
        assert phase["source_rows"] == len(before[phase["source_table"]])
    said = {s["title"]: s["answer"] for s in report["statements"]}
    preserved = ("All responses preserved", "All scores preserved", "All dates preserved", "Links of this run valid")
    assert [said[title] for title in preserved] == ["YES"] * 4
    assert said["All links valid"] == "NO"  # the sample has links that no rule touches, each a warning
    assert said["Assignments created"] == len(wanted.added)
    assert said["Assignments updated"] == len(wanted.updated)
    assert said["Responses linked"] == len(wanted.linked)
    html = first.folder.workspace.read("runs/first/report.html") or b""
    assert b"All links valid" in html

    # rows that were not to change are as they were, in the engine's own notation, byte for byte
    after = {table: {i["id"]["S"]: i for i in items(store, table)} for table in sample.TABLES}
    untouched = {
        ASSIGNMENTS: before[ASSIGNMENTS].keys() - wanted.updated,
        RESPONSES: before[RESPONSES].keys() - wanted.linked,
        "forms": before["forms"].keys(),
        "clients": before["clients"].keys(),
    }
    for table, ids in untouched.items():
        assert {id: after[table][id] for id in ids} == {id: before[table][id] for id in ids}
    owned = {ASSIGNMENTS: set(migration.target("assignments").owned or ()), RESPONSES: {"assignmentId"}}
    for table, changeable in owned.items():
        for id, row in before[table].items():
            kept = {name: value for name, value in row.items() if name not in changeable}
            assert {n: v for n, v in after[table][id].items() if n not in changeable} == kept

    second = run_of(migration, ledger, workspace, lambda _: store, "second")
    assert walk(second).headline.startswith("Nothing to add")
    report = second.folder.read_json("report.json")
    assert sum(p["rows"]["add"] + p["rows"]["change"] for p in report["plan"]["phases"]) == 0
    assert report["applied"] == []
    assert_tables(store, wanted)
    assert {s["title"]: s["answer"] for s in report["statements"]}["Responses linked"] == 0


def test_mode_plan_writes_nothing(store: DynamoDBStore, ledger: Ledger, workspace: Workspace) -> None:
    before = {table: items(store, table) for table in (ASSIGNMENTS, RESPONSES)}
    verdict = walk(run_of(migration, ledger, workspace, lambda _: store, mode=Mode.PLAN))
    assert verdict.headline.startswith("Planned, nothing written")
    assert {table: items(store, table) for table in (ASSIGNMENTS, RESPONSES)} == before


def test_window_by_window_equals_one_full_run(store: DynamoDBStore, ledger: Ledger, workspace: Workspace) -> None:
    wanted = oracle(store)
    bounds = ["0001-01-02", "2024-03-05", "2024-07-01", "9999-12-30"]
    for number, (start, end) in enumerate(pairwise(bounds)):
        window = Window.parse(start, end)
        run = run_of(migration, ledger, workspace, lambda _: store, f"window-{number}", window=window)
        assert walk(run).status == "passed"
        if number == 0:  # weeks whose responses are of later windows are there already, pending
            found = {i["id"]["S"] for i in items(store, ASSIGNMENTS)}
            past = {id for id in wanted.added if id not in found}
            assert past < wanted.added
            assert all(int(wanted.assignments[id]["recurringWeek"]["N"]) > 2 or id not in found for id in past)
    walk(run_of(migration, ledger, workspace, lambda _: store, "rest"))  # responses without a date are in no window
    assert_tables(store, wanted)


def test_a_row_that_somebody_changes_meanwhile_holds_back_what_is_written_with_it(
    store: DynamoDBStore, ledger: Ledger, workspace: Workspace
) -> None:
    wanted = oracle(store)
    one, two, three = sorted(id for id in wanted.linked if id.startswith("client-000"))[:3]
    target = wanted.responses[two]["assignmentId"]["S"]
    mine: Item = {"id": {"S": target}, "clientId": {"S": "somebody"}, "formId": {"S": "else"}}

    def meddle(step: Any) -> None:
        if step.id == "apply" and step.phase.id == "responses":
            store.client.update_item(
                TableName=RESPONSES,
                Key={"id": {"S": one}},
                UpdateExpression="SET score = :s",
                ExpressionAttributeValues={":s": {"N": "1.5"}},
            )
            store.client.put_item(TableName=ASSIGNMENTS, Item=mine)
            store.client.delete_item(TableName=RESPONSES, Key={"id": {"S": three}})

    before = {i["id"]["S"]: i for i in items(store, ASSIGNMENTS)}
    run = run_of(migration, ledger, workspace, lambda _: store, max_left_alone=10)
    with pytest.raises(GateError, match="missing"):  # what cannot be linked is not there, so it is no exception
        walk(run, seen=meddle)
    after = {i["id"]["S"]: i for i in items(store, ASSIGNMENTS)}
    responses = {i["id"]["S"]: i for i in items(store, RESPONSES)}
    assert "assignmentId" not in responses[one]
    assert responses[one]["score"] == {"N": "1.5"}
    assert "assignmentId" not in responses[two]
    assert three not in responses
    assert after[target] == mine
    for left in (one, three):
        id = wanted.responses[left]["assignmentId"]["S"]
        assert after.get(id) == before.get(id)
    report = run.folder.read_json("report.json")
    assert codes(report)["responses", "conflict"] >= 3
    (phase,) = [p for p in report["plan"]["phases"] if p["phase"] == "responses"]
    assert phase["skipped"].get("conflict", 0) + phase["skipped"]["missing"] == 3


def test_an_assignment_that_was_moved_to_another_week_is_not_moved_back(samples: Samples) -> None:
    with samples.migrated(migration, sample, few) as there:
        moves_nothing_back(there.store, there.ledger, there.workspace)


def moves_nothing_back(store: DynamoDBStore, ledger: Ledger, workspace: Workspace) -> None:
    moved = next(
        i for i in items(store, ASSIGNMENTS) if i["formId"]["S"] == "every-type" and i["recurringWeek"] == {"N": "3"}
    )
    moved["recurringWeek"] = {"N": "17"}
    store.client.put_item(TableName=ASSIGNMENTS, Item=moved)
    before = by_id(items(store, ASSIGNMENTS))
    second = run_of(migration, ledger, workspace, lambda _: store, "second")
    walk(second)
    assert by_id(items(store, ASSIGNMENTS)) == before
    assert codes(second.folder.read_json("report.json"))["weeks", "id_taken"] == 1


def test_too_many_rejects_fail_the_gate_with_nothing_written(
    store: DynamoDBStore, ledger: Ledger, workspace: Workspace
) -> None:
    before = {table: items(store, table) for table in (ASSIGNMENTS, RESPONSES)}
    with pytest.raises(GateError, match="raise max_rejects"):
        walk(run_of(migration, ledger, workspace, lambda _: store, max_rejects=3))
    assert {table: items(store, table) for table in (ASSIGNMENTS, RESPONSES)} == before


def test_a_walk_that_ended_between_transaction_and_ledger_goes_on(
    store: DynamoDBStore, ledger: Ledger, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = oracle(store)
    store.batch_rows = 4
    wrote, calls = Ledger.wrote, [0]

    def dying(self: Ledger, run_id: str, phase: str, *rest: Any) -> None:
        if phase.startswith("responses"):
            calls[0] += 1
            if calls[0] in (5, 18):  # before the second output of a batch is entered, and between the two
                raise StoreUnavailableError("the process ends here")
        wrote(self, run_id, phase, *rest)

    monkeypatch.setattr(Ledger, "wrote", dying)
    run = run_of(migration, ledger, workspace, lambda _: store)
    run = replace(run, options=preflight(run))
    for step in steps(migration):
        for part in run.parts(step):
            for _ in range(3):
                with suppress(StoreUnavailableError):
                    step.work(run, part)
                    break
    assert calls[0] > 18
    assert report(run).status == "passed"
    assert_tables(store, wanted)
    applied = {a["phase"]: a for a in run.folder.read_json("report.json")["applied"]}
    assert applied["responses"]["written"] == applied["responses-also"]["written"] == len(wanted.linked)
    assert applied["responses"]["batches"] == applied["responses-also"]["batches"]
