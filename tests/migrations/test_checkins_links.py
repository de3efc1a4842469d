"""Links of check-ins that are wrong: every one is reported, and mended where that is asked for. Random dirt against the
oracle, which knows the contract only."""

from __future__ import annotations

import csv
import io
from collections import Counter, defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from decimal import Decimal
from itertools import pairwise
from random import Random
from typing import Any

import pytest

from include.migrations.checkins import sample
from include.migrations.checkins.migration import migration
from include.migrations.checkins.sample_dirt import NULL, assignment, n, response, s
from include.migrations.checkins.shadow import bad_links as counted_bad
from include.trueup.ledger import Ledger
from include.trueup.run import LAST, Mode, Run, Window
from include.trueup.run.workspace import Workspace
from include.trueup.stores.dynamodb import DynamoDBStore
from include.trueup.walk import walk
from tests.harness import Item, fastest_engine, items, run_of, store_at
from tests.migrations.checkins_oracle import (
    Expected,
    by_id,
    choose_base,
    expected,
    number,
    total_weeks,
    week_of,
    wrong_links,
)
from tests.migrations.checkins_oracle import missing as absent

ASSIGNMENTS, RESPONSES = "check-in-assignments", "form-responses"
WORLDS = 60
CODES = {
    *("link_dangling", "link_elsewhere", "link_wrong_week", "link_one_sided"),
    *("bad_status", "week_out_of_range", "due_date_off", "too_many_weeks", "duplicate_base", "bad_due_date"),
    *("bad_week", "no_base", "duplicate_response", "link_conflict", "week_past_total"),
}
DUE = ("2024-02-26T09:30:00Z", "2024-03-04T10:30:00+01:00", "2024-03-11", "never")


def world(index: int) -> Iterator[tuple[str, Item]]:
    """A few rows of two series that have nothing to do with those of other numbers, their links thrown about."""
    random = Random(index)
    series = [(f"w{index}-{client}", "form") for client in ("a", "b")]
    assignments = [f"{client}/{k}" for client, _ in series for k in range(random.randint(0, 5))]
    responses = [f"{client}/r{k}" for client, _ in series for k in range(random.randint(0, 4))]

    def any_of(ids: list[str]) -> Any:
        return (
            s(random.choice([*ids, *ids, *ids, "gone", ""])) if random.random() < 0.7 else random.choice([None, NULL])
        )

    for id in assignments:
        week = random.choice([None, n(1), n(1), n(2), n(3), n("4.0"), n(9), n("2.5"), s("2")])
        yield (
            ASSIGNMENTS,
            assignment(
                id,
                id.partition("/")[0],
                "form",
                recurringWeek=week,
                isRecurring={"BOOL": random.random() < 0.8},
                totalWeeks=random.choice([None, n(3), n(4), n(4), n(520), n(521), n("99999999999")]) if week else n(3),
                status=s(random.choice(["pending", "completed", "overdue"])),
                dueDate=s(random.choice(DUE)),
                responseId=any_of(responses),
                score=random.choice([None, n(7)]),
                completedAt=random.choice([None, s("2023-01-01")]),
            ),
        )
    for id in responses:
        of = random.choice([None, 1, 1, 2, 2, 3, 3, 4, 0, 600])
        made = response(id, id.partition("/")[0], "form", of, assignmentId=any_of(assignments))
        changes: Item = {"submittedAt": s(f"2024-03-0{random.randint(1, 9)}")}
        yield (
            RESPONSES,
            {name: v for name, v in {**made, **changes}.items() if name != "score" or random.random() < 0.7},
        )


@pytest.fixture
def store() -> Iterator[DynamoDBStore]:
    """A DynamoDB with many worlds."""
    with fastest_engine() as engine:
        made = store_at(engine.endpoint)
        for table in sample.TABLES:
            sample._create(made.client, table)
        rows = [row for number in range(WORLDS) for row in world(number)]
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda row: made.client.put_item(TableName=row[0], Item=row[1]), rows))
        yield made


def oracle(store: DynamoDBStore, mend: bool) -> Expected:
    return expected(items(store, ASSIGNMENTS), items(store, RESPONSES), mend)


def tables(store: DynamoDBStore) -> tuple[dict[str, Any], dict[str, Any]]:
    return by_id(items(store, ASSIGNMENTS)), by_id(items(store, RESPONSES))


def bad_links(store: DynamoDBStore) -> set[str]:
    """Every link that is wrong now, as the statement lists it."""
    rows = [{i["id"]["S"]: i for i in items(store, table)} for table in (ASSIGNMENTS, RESPONSES)]
    both = (("assignment", "assignments"), ("response", "responses"))
    return {f"{word} {id}" for word, kind in both for id in wrong_links(kind, *rows)}


def found(run: Run) -> set[tuple[str, str, str]]:
    """The findings of a run: phase, key, code."""
    text = (run.folder.read("findings.csv") or b"").decode()
    return {(f["phase"], f["key"], f["code"]) for f in csv.DictReader(io.StringIO(text))}


def audited(store: DynamoDBStore) -> dict[str, Any]:
    """What is there, counted one by one."""
    assignments, responses = ({i["id"]["S"]: i for i in items(store, table)} for table in (ASSIGNMENTS, RESPONSES))
    findings = oracle(store, mend=False).findings
    links = {kind: Counter(wrong_links(kind, assignments, responses).values()) for kind in ("responses", "assignments")}
    wrong = ("link_dangling", "link_elsewhere", "link_wrong_week", "link_one_sided")
    weeks = [number(a, "recurringWeek") for a in assignments.values()]
    series = defaultdict(list)
    for row in assignments.values():
        series[row["clientId"]["S"]].append(row)
    lines = []
    for client, rows in sorted(series.items()):
        have = {week for row in rows if (week := week_of(row)) is not None and week >= 1 and week % 1 == 0}
        base = choose_base(Expected({}, {}), rows)
        last = min(total_weeks(base), Decimal(999_999_999)) if base is not None else Decimal(0)
        missing = int(last) - sum(week <= last for week in have)
        lines.append(
            {"clientId": client, "formId": "form", "existing_weeks": len(have), "missing_weeks": max(0, missing)}
        )
    return {
        "responses": {
            "total": len(responses),
            "with_week": sum(not absent(r, "recurringWeek") for r in responses.values()),
            "with_link": sum(bool(r.get("assignmentId", {}).get("S")) for r in responses.values()),
            **{code: links["responses"][code] for code in wrong},
        },
        "assignments": {
            "total": len(assignments),
            "base": sum(absent(a, "recurringWeek") or number(a, "recurringWeek") == 1 for a in assignments.values()),
            "week_2_on": sum(week is not None and week >= 2 and week % 1 == 0 for week in weeks),
            "with_response_id": sum(bool(a.get("responseId", {}).get("S")) for a in assignments.values()),
            **{code: links["assignments"][code] for code in wrong},
            "due_date_off": sum(code == "due_date_off" for _, _, code in findings),
        },
        "assignments_by_status": [
            {"status": status, "assignments": n}
            for status, n in sorted(Counter(a["status"]["S"] for a in assignments.values()).items())
        ],
        "series": lines,
    }


def judge(run: Run, store: DynamoDBStore) -> set[str]:
    """Walk the run, and hold tables, findings and statements against the oracle; the codes of the findings."""
    wanted = oracle(store, run.options.params["relink"] == "mend")
    audit = audited(store)
    assert walk(run).status == "passed"
    assert run.folder.read_json("report.json")["plan"]["audit"] == audit
    assert found(run) == wanted.findings
    assert tables(store) == (by_id(wanted.assignments.values()), by_id(wanted.responses.values()))
    said = {a["title"]: a for a in run.folder.read_json("report.json")["statements"]}
    left = bad_links(store)
    assert said["All links valid"]["answer"] == "NO"
    assert said["All links valid"]["rows"] == len(left)
    assert counted_bad(store) == (len(left), tuple(sorted(left)[:5]))
    assert set(said["All links valid"]["keys"]) <= left
    titles = ("Links of this run valid", "All responses preserved", "All scores preserved", "All dates preserved")
    assert {said[title]["answer"] for title in titles} == {"YES"}
    assert said["Assignments created"]["answer"] == len(wanted.added)
    assert said["Assignments updated"]["answer"] == len(wanted.updated)
    assert said["Responses linked"]["answer"] == len(wanted.linked)
    return {code for _, _, code in wanted.findings}


def test_every_link_is_judged_and_mended_where_that_is_asked_for(
    store: DynamoDBStore, ledger: Ledger, workspace: Workspace
) -> None:
    def run(id: str, relink: str, **options: Any) -> Run:
        asked = {"params": {"relink": relink}, "max_reject_share": 1.0, **options}
        return run_of(migration, ledger, workspace, lambda _: store, id, **asked)

    def back(id: str) -> list[str]:
        """Undo the last run; what is left of it."""
        undoing = run(id, "keep")
        assert walk(replace(undoing, dag_id="checkins_rollback", undoes=LAST)).headline.startswith("Rolled back")
        left: list[str] = undoing.folder.read_json("report.json")["left"]
        return left

    original = tables(store)
    codes = judge(run("kept", "keep", partitions=3), store)
    before, wrong = tables(store), len(bad_links(store))
    codes |= judge(run("mended", "mend"), store)
    assert codes == CODES
    assert len(bad_links(store)) < wrong
    walk(again := run("again", "mend", mode=Mode.PLAN))
    planned = again.folder.read_json("report.json")["plan"]["phases"]
    assert sum(p["rows"]["add"] + p["rows"]["change"] for p in planned) == 0
    assert back("back") == []
    assert tables(store) == before
    assert back("back-again") == ["index client-form-index of form-responses"]
    assert tables(store) == original


@pytest.mark.slow
def test_mended_day_by_day_is_mended_at_once(store: DynamoDBStore, ledger: Ledger, workspace: Workspace) -> None:
    wanted = oracle(store, mend=True)
    for day, (start, end) in enumerate(pairwise(["0001-01-02", "2024-03-04", "2024-03-06", "9999-12-30"])):
        run = run_of(
            migration,
            ledger,
            workspace,
            lambda _: store,
            f"day-{day}",
            window=Window.parse(start, end),
            params={"relink": "mend"},
            max_reject_share=1.0,
        )
        assert walk(run).status == "passed"
    assert tables(store) == (by_id(wanted.assignments.values()), by_id(wanted.responses.values()))
