"""Example rows of a real plan that adds and changes, with a value that is too long to show."""

from __future__ import annotations

from typing import Any

from include.migrations.checkins import sample
from include.migrations.checkins.migration import migration
from include.trueup.declare.names import KEY, NUMBER
from include.trueup.ledger import Ledger
from include.trueup.plan import examples
from include.trueup.plan.files import planned
from include.trueup.rows import duck
from include.trueup.run import Mode, Run
from include.trueup.run.files import EXAMPLES
from include.trueup.run.workspace import Workspace
from include.trueup.walk import walk
from include.trueup.write import units
from include.trueup.write.numbers import batch_of
from tests.harness import run_of, store_at
from tests.samples import Samples

LONG = "<b>" + "x" * 5_000


def test_examples_are_rows_of_the_plan(ledger: Ledger, workspace: Workspace, samples: Samples) -> None:
    with samples.engine(sample) as engine:
        store = store_at(engine.endpoint)
        store.batch_rows = 10
        scan = store.client.scan(TableName="check-in-assignments", ConsistentRead=True)["Items"]
        for item in scan:  # whatever becomes of it, its note is too long
            store.client.put_item(TableName="check-in-assignments", Item={**item, "note": {"S": LONG}})
        run = run_of(migration, ledger, workspace, lambda _: store, mode=Mode.PLAN)
        walk(run)
    plan = run.folder.read_json("plan.json")
    shown = run.folder.read_json(EXAMPLES)["outputs"]
    assert {output["phase"] for output in shown} == {phase["phase"] for phase in plan["phases"]}
    verbs: dict[str, list[dict[str, Any]]] = {}
    for output in shown:
        for verb, rows in output["verbs"].items():
            assert 0 < len(rows) <= examples.ROWS
            verbs.setdefault(verb, []).extend(rows)
    assert {"add", "change", "rejected"} <= verbs.keys()
    for row in verbs["change"]:
        assert row["changed"]
        assert all(row["before"].get(c) != row["row"].get(c) for c in row["changed"])
        assert all(row["before"].get(c) == row["row"].get(c) for c in row["row"].keys() - set(row["changed"]))
    assert all("before" not in row for row in verbs["add"])
    assert all(row["code"] and row["message"] for row in verbs["rejected"])
    values = [text for rows in verbs.values() for row in rows for text in row["row"].values()]
    assert max(map(len, values)) == examples.LENGTH + 1
    assert any(LONG[:50] in text and text.endswith("…") for text in values)
    _numbers_are_those_of_the_writer(run.chosen())


def _numbers_are_those_of_the_writer(run: Run) -> None:
    """Of a phase with two targets: each row is in the batch that the lens says."""
    phase = migration.phase("responses")
    with run.workspace.scratch() as scratch, duck.connect(scratch) as connection:
        plans = {o.name: run.folder.fetch(planned(run, o.name, 0), scratch) for o in phase.outputs}
        rows = {
            name: dict(connection.execute(f"SELECT {KEY}, {NUMBER} FROM ({duck.numbered([plan])})").fetchall())
            for name, plan in plans.items()
        }
        seen = 0
        for number, _, send in units.batches(run, phase, 0):
            for name, share in send.args[-1].items():
                for key in share.rows["id"].to_pylist():
                    of = batch_of(connection, phase, run.files.start.batch_rows, plans, name, rows[name][key])
                    assert of == number
                    seen += 1
        assert seen > 10
