"""KPI linking, from the dirty sample to the proven target, against an oracle that knows the contract only."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pytest
from great_expectations.core import ExpectationSuite
from great_expectations.core.expectation_validation_result import expectationSuiteValidationResultSchema

from include.migrations.kpi_linking import sample
from include.migrations.kpi_linking.migration import migration
from include.trueup.errors import GateError
from include.trueup.ledger import Ledger
from include.trueup.run import Mode, Run, Window
from include.trueup.run.workspace import Workspace
from include.trueup.stores.dynamodb import DynamoDBStore
from include.trueup.walk import walk
from tests.harness import Item, items, run_of, store_at
from tests.migrations.kpi_linking_oracle import by_id, expected
from tests.samples import Samples, Size, few, whole

LINKS, DATA = "purposepath-kpi-links", "purposepath-kpi-data"


def legacy(store: DynamoDBStore) -> dict[str, list[Item]]:
    return {table: items(store, table) for table in sample.TABLES}


def assert_as_the_contract_says(store: DynamoDBStore) -> None:
    oracle = expected(legacy(store))
    assert by_id(items(store, LINKS)) == by_id(oracle.links.values())
    assert by_id(items(store, DATA)) == by_id(oracle.data.values())


def findings(report: dict[str, Any]) -> dict[tuple[str, str], int]:
    return {(f["phase"], f["code"]): f["count"] for f in report["findings"]}


def assert_great_expectations_own_results(run: Run) -> None:
    """Of each gate, suite and results, as Great Expectations reads them."""
    read: Any = expectationSuiteValidationResultSchema.load
    written: Any = run.files.native()
    native = [(ExpectationSuite(**suite), read(validation)) for suite, validation in written]
    judged = [result for gate in run.files.judged() for result in run.files.gate(gate)]
    assert [len(suite.expectations) for suite, _ in native] == [len(result.expectations) for result in judged]
    assert [v.meta["trueup"]["gate"] for _, v in native] == [result.gate for result in judged]
    assert [[e.success for e in v.results] for _, v in native] == [[e.passed for e in r.expectations] for r in judged]
    assert {v.meta["run_id"]["run_name"] for _, v in native} == {run.id}


@pytest.mark.parametrize(("size", "share"), [(few, 0.5), pytest.param(whole, 0.05, marks=pytest.mark.slow)])
def test_the_whole_migration_and_a_second_run_that_finds_nothing(
    size: Size, share: float, samples: Samples, ledger: Ledger, workspace: Workspace
) -> None:
    with samples.engine(sample, size) as engine:
        migrates_and_finds_nothing(store_at(engine.endpoint), share, ledger, workspace)


def migrates_and_finds_nothing(kpi_store: DynamoDBStore, share: float, ledger: Ledger, workspace: Workspace) -> None:
    before = {table: by_id(rows) for table, rows in legacy(kpi_store).items()}
    first = run_of(
        migration,
        ledger,
        workspace,
        lambda _: kpi_store,
        "first",
        partitions=3,
        segments=2,
        max_reject_share=share,
    )
    assert walk(first, triggered_by="ada").status == "passed"
    assert_as_the_contract_says(kpi_store)
    assert {table: by_id(rows) for table, rows in legacy(kpi_store).items()} == before

    report = first.folder.read_json("report.json")
    oracle = expected(legacy(kpi_store))
    codes: dict[tuple[str, str], int] = {}
    for phase, _, code in oracle.findings:
        codes[phase, code] = codes.get((phase, code), 0) + 1
    assert findings(report) == codes
    for phase in report["plan"]["phases"]:
        assert phase["source_rows"] == phase["written"] + phase["kept"] + phase["rejected"] + sum(
            phase["skipped"].values()
        )
        assert phase["unaccounted"] == 0
        assert phase["source_rows"] == len(before[phase["source_table"]])
    assert report["run"]["triggered_by"] == "ada"
    assert all(p["missing"] == p["different"] == p["extra"] == p["unverified"] == 0 for p in report["proof"])
    proven = {p["target_table"]: p["compared"] for p in report["proof"]}
    assert proven == {LINKS: len(oracle.links), DATA: len(oracle.data)}
    assert_great_expectations_own_results(first)

    second = run_of(migration, ledger, workspace, lambda _: kpi_store, "second")
    assert walk(second).headline.startswith("Nothing to add")
    report = second.folder.read_json("report.json")
    assert sum(p["rows"]["add"] + p["rows"]["change"] + p["rows"]["extra"] for p in report["plan"]["phases"]) == 0
    assert report["applied"] == []
    assert_as_the_contract_says(kpi_store)


def test_rejected_rows_are_kept_whole(kpi_store: DynamoDBStore, ledger: Ledger, workspace: Workspace) -> None:
    run = run_of(migration, ledger, workspace, lambda _: kpi_store, mode=Mode.PLAN)
    walk(run)
    oracle = expected(legacy(kpi_store))
    lines = (workspace.read("runs/run/rejects.jsonl") or b"").decode().strip("\n").split("\n")
    rejects = [json.loads(line) for line in lines]
    assert {(r["table"], r["key"]): r["code"] for r in rejects} == oracle.rejected
    rows = {(table, row["id"]["S"]): row for table, found in legacy(kpi_store).items() for row in found}
    for reject in rejects:
        row = json.loads(reject["row"]) if isinstance(reject["row"], str) else reject["row"]
        kept = {name for name, value in row.items() if value is not None and not name.startswith("_")}
        kept |= set(json.loads(row["_extra"] or "{}")) | set(json.loads(row["_mistyped"] or "{}"))
        source = rows[reject["table"], reject["key"]]
        assert kept == {name for name, value in source.items() if "NULL" not in value}


def test_mode_plan_writes_nothing_and_says_what_it_would(
    kpi_store: DynamoDBStore, ledger: Ledger, workspace: Workspace
) -> None:
    run = run_of(migration, ledger, workspace, lambda _: kpi_store, mode=Mode.PLAN)
    verdict = walk(run)
    assert verdict.headline.startswith("Planned, nothing written")
    assert kpi_store.describe(migration.target("kpi_links").table) is None
    assert ledger.entered("run").status == "planned"


def test_mode_verify_proves_a_right_target_and_names_every_defect(samples: Samples) -> None:
    with samples.migrated(migration, sample, few) as there:
        proves_and_names_every_defect(there.store, there.ledger, there.workspace)


def proves_and_names_every_defect(kpi_store: DynamoDBStore, ledger: Ledger, workspace: Workspace) -> None:
    verify = run_of(migration, ledger, workspace, lambda _: kpi_store, "right", mode=Mode.VERIFY)
    assert walk(verify).headline.startswith("Proven")
    (stated,) = verify.files.answers
    assert (stated.id, stated.answer, stated.holds) == ("no_orphans", "YES", True)

    orphan = {**items(kpi_store, DATA)[0], "id": {"S": "an orphan"}, "kpi_link_id": {"S": "no such link"}}
    kpi_store.client.put_item(TableName=DATA, Item=orphan)
    of_a_day = Window.parse("2020-01-01T00:00:00+00:00", "2020-01-02T00:00:00+00:00")
    orphaned = run_of(migration, ledger, workspace, lambda _: kpi_store, "orphaned", mode=Mode.VERIFY, window=of_a_day)
    with pytest.raises(GateError, match=r"No KPI data without its link.*1 row \(orphan\).*'an orphan'"):
        walk(orphaned)
    (stated,) = orphaned.files.answers
    assert (stated.answer, stated.code, stated.rows, stated.keys) == ("NO", "orphan", 1, ("an orphan",))
    kpi_store.client.delete_item(TableName=DATA, Key={"id": orphan["id"]})

    data = sorted(items(kpi_store, DATA), key=lambda i: i["id"]["S"])
    missing, different, swapped, other = data[10], data[20], data[30], data[31]
    client = kpi_store.client
    client.delete_item(TableName=DATA, Key={"id": missing["id"]})
    client.put_item(TableName=DATA, Item={**different, "post_value": {"N": "0.00000000000000000000000000000000000001"}})
    client.put_item(TableName=DATA, Item={**swapped, "id": other["id"]})
    client.put_item(TableName=DATA, Item={**other, "id": swapped["id"]})
    client.put_item(TableName=DATA, Item={**other, "id": {"S": "an extra row"}})
    wrong = run_of(migration, ledger, workspace, lambda _: kpi_store, "wrong", mode=Mode.VERIFY)
    with pytest.raises(GateError):
        walk(wrong)
    report = wrong.folder.read_json("report.json")
    assert report["verdict"]["status"] == "failed"
    assert report["run"]["failed"]["step"].startswith("gate/")
    found = {(e["kind"], e["key"]) for p in report["proof"] for e in p["examples"]}
    planned = [p for p in report["plan"]["phases"] if p["phase"] == "milestones"]
    assert planned[0]["rows"]["extra"] == 1
    failing = report["proof"][-1]
    assert found <= {
        ("missing", missing["id"]["S"]),
        *(("different", row["id"]["S"]) for row in (different, swapped, other)),
    }
    assert failing["missing"] + failing["different"] == len(found) > 0


def test_day_by_day_equals_one_full_run(kpi_store: DynamoDBStore, ledger: Ledger, workspace: Workspace) -> None:
    # windows that together hold every dated row; the sample's undated rows have no window
    bounds = [
        "0001-01-02T00:00:00+00:00",
        "2024-01-01T00:00:00+00:00",
        "2024-09-01T00:00:00+00:00",
        "9999-12-30T00:00:00+00:00",
    ]
    read_by = []
    for number, (start, end) in enumerate(pairwise(bounds)):
        chosen: dict[str, Any] = {
            "partitions": 2,
            "window": Window.parse(start, end),
            "snapshot_max_age": 1,
        }
        run = run_of(migration, ledger, workspace, lambda _: kpi_store, f"w{number}", **chosen)
        assert walk(run).status == "passed"
        read_by.append(run.files.start.snapshot_of)
    # a window that has not closed yet is not shown whole by a snapshot
    assert read_by == [None, "w0", None]
    full = run_of(migration, ledger, workspace, lambda _: kpi_store, "full", mode=Mode.PLAN)
    walk(full)
    plan = full.folder.read_json("plan.json")
    left = {p["phase"]: (p["rows"]["add"], p["rows"]["change"], p["rows"]["extra"]) for p in plan["phases"]}
    undated = [p for p in plan["phases"] if p["rows"]["add"]]
    assert all(change == extra == 0 for _, change, extra in left.values())
    assert undated == []


def test_too_many_rejects_fail_the_gate_with_nothing_written(
    kpi_store: DynamoDBStore, ledger: Ledger, workspace: Workspace
) -> None:
    run = run_of(migration, ledger, workspace, lambda _: kpi_store, max_rejects=3)
    with pytest.raises(GateError, match="raise max_rejects"):
        walk(run)
    assert kpi_store.describe(migration.target("kpi_links").table) is None
    report = run.folder.read_json("report.json")
    assert report["run"]["failed"]["step"] == "plan_gate"
    assert "Nothing was written" in report["verdict"]["headline"]


def test_a_row_that_was_changed_since_the_plan_is_left_alone(
    kpi_store: DynamoDBStore, ledger: Ledger, workspace: Workspace
) -> None:
    link = next(iter(expected(legacy(kpi_store)).links.values()))
    target = migration.target("kpi_links").table
    mine = {"id": link["id"], "tenant_id": {"S": "somebody"}, "note": {"S": "put between plan and apply"}}

    def meddle(step: Any) -> None:
        if step.id == "apply" and step.phase.id == "links":
            kpi_store.client.put_item(TableName=target.name, Item=mine)

    run = run_of(migration, ledger, workspace, lambda _: kpi_store, max_left_alone=1)
    verdict = walk(run, seen=meddle)
    assert (verdict.status, verdict.proof) == ("passed", "proven_with_exceptions")
    assert verdict.headline.startswith("Proven with 1 exception")
    assert "left alone" in verdict.headline
    found = kpi_store.client.get_item(TableName=target.name, Key={"id": link["id"]}, ConsistentRead=True)["Item"]
    assert found == mine
    report = run.folder.read_json("report.json")
    assert findings(report)["links", "conflict"] == 1
    (links,) = [p for p in report["plan"]["phases"] if p["phase"] == "links"]
    assert links["skipped"] == {"conflict": 1}
