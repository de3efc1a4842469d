"""Whole runs that copy a DynamoDB table: rows of many attributes, large ones, and attributes that are NULL."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from include.trueup.declare.migration import Table, Type
from include.trueup.errors import GateError, StoreUnavailableError
from include.trueup.ledger import Ledger
from include.trueup.run import LAST, Extra
from include.trueup.run.workspace import Workspace
from include.trueup.steps import Step
from include.trueup.stores.dynamodb import DynamoDBStore
from include.trueup.walk import walk
from tests.copying import declare_copy
from tests.harness import Item, fastest_engine, items, run_of, store_at

NULL = {"NULL": True}


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with fastest_engine() as engine:
        yield engine.endpoint


class Copies:
    """A table `old` with columns, and runs that copy it to `new`."""

    def __init__(self, endpoint: str, ledger: Ledger, workspace: Workspace, folder: Path) -> None:
        self.store: DynamoDBStore = store_at(endpoint)
        self.ledger, self.workspace, self.folder, self.count = ledger, workspace, folder, 0
        for name in ("old", "new"):
            self.store.client.delete_table(TableName=name) if self._is_there(name) else None

    def _is_there(self, name: str) -> bool:
        there = name in self.store.client.list_tables()["TableNames"]
        if there:
            self.store.client.update_table(TableName=name, DeletionProtectionEnabled=False)
        return there

    def declare(self, columns: Mapping[str, Type]) -> None:
        self.migration = declare_copy(self.folder, columns)
        self.store.create(Table(name="old", connection="c", key=("id",), columns=columns))

    def put(self, *rows: Item, table: str = "old") -> None:
        for row in rows:
            self.store.client.put_item(TableName=table, Item=row)

    def held(self, table: str) -> dict[str, Item]:
        return {item["id"]["S"]: item for item in items(self.store, table)}

    def run(self, undoes: str | None = None, **options: Any) -> dict[str, Any]:
        """A run; or a rollback of one. Its report."""
        self.count += 1
        run = run_of(self.migration, self.ledger, self.workspace, lambda _: self.store, f"run-{self.count}", **options)
        if undoes is not None:
            run = replace(run, dag_id="copying_rollback", undoes=undoes, options=replace(run.options, partitions=None))
        walk(run)
        return dict(run.folder.read_json("report.json"))


@pytest.fixture
def copies(endpoint: str, ledger: Ledger, workspace: Workspace, tmp_path: Path) -> Copies:
    return Copies(endpoint, ledger, workspace, tmp_path)


def verbs(report: dict[str, Any]) -> dict[str, int]:
    rows = report["plan"]["phases"][0]["rows"]
    return {verb: rows[verb] for verb in ("add", "change", "keep", "drift", "remove") if rows[verb]}


def test_a_row_whose_160_attributes_all_change_is_brought_up_to_date(copies: Copies) -> None:
    names = [f"a{n:03}" for n in range(160)]
    copies.declare({"id": Type.TEXT, **dict.fromkeys(names, Type.TEXT)})
    for text in ("x", "y"):
        for key in ("k1", "k2", "k3"):
            copies.put({"id": {"S": key}, **{name: {"S": (text if key == "k1" else "x") + name} for name in names}})
        report = copies.run()
        assert report["verdict"]["status"] == "passed"
        assert copies.held("new") == copies.held("old")
    assert verbs(report) == {"change": 1, "keep": 2}
    copies.run(undoes=LAST)
    assert copies.held("new")["k1"]["a159"] == {"S": "xa159"}
    with pytest.raises(
        GateError, match=r"3 rows cannot be removed, .*: 3 of new, such as k1 \(it has more attributes than"
    ):
        copies.run(undoes=LAST, max_left_alone=0)
    report = copies.run(undoes=LAST)
    assert (report["verdict"]["proof"], len(copies.held("new"))) == ("proven_with_exceptions", 3)


def test_a_row_that_fits_as_dynamodb_counts_arrives(copies: Copies) -> None:
    copies.declare({"id": Type.TEXT, "doc": Type.JSON})
    points = [60_000, 3]
    copies.put(
        *(
            {"id": {"S": f"k{n}"}, "doc": {"M": {"points": {"L": [{"N": str(i % 90 + 10)} for i in range(many)]}}}}
            for n, many in enumerate(points)
        )
    )
    report = copies.run()
    assert report["verdict"]["status"] == "passed"
    assert copies.held("new") == copies.held("old")


def test_null_and_missing_are_one_and_a_row_removed_comes_back_with_its_nulls(copies: Copies) -> None:
    copies.declare({"id": Type.TEXT, "label": Type.TEXT, "done": Type.BOOLEAN})
    copies.put(*({"id": {"S": key}, "label": {"S": "x"}, "done": NULL} for key in "ab"))
    copies.run()
    assert copies.held("new") == {key: {"id": {"S": key}, "label": {"S": "x"}} for key in "ab"}
    nulled = {"id": {"S": "a"}, "label": {"S": "x"}, "done": NULL, "deleted at": NULL}
    copies.put(nulled, table="new")
    assert verbs(copies.run()) == {"keep": 2}
    copies.store.client.delete_item(TableName="old", Key={"id": {"S": "a"}})
    report = copies.run(extra=Extra.REMOVE, max_remove_share=1)
    assert verbs(report) == {"keep": 1, "remove": 1}
    assert list(copies.held("new")) == ["b"]
    copies.run(undoes=LAST)
    assert copies.held("new")["a"] == nulled


def test_a_row_changed_is_put_back_with_its_nulls(copies: Copies) -> None:
    copies.declare({"id": Type.TEXT, "label": Type.TEXT, "done": Type.BOOLEAN})
    copies.put({"id": {"S": "a"}, "label": {"S": "x"}})
    copies.run()
    nulled = {"id": {"S": "a"}, "label": {"S": "x"}, "done": NULL, "note": NULL}
    copies.put(nulled, table="new")
    copies.put({"id": {"S": "a"}, "label": {"S": "y"}, "done": {"BOOL": True}})
    assert verbs(copies.run()) == {"change": 1}
    assert copies.held("new")["a"] == {"id": {"S": "a"}, "label": {"S": "y"}, "done": {"BOOL": True}, "note": NULL}
    copies.run(undoes=LAST)
    assert copies.held("new")["a"] == nulled


def test_a_run_whose_second_plan_was_not_written_is_rolled_back(
    copies: Copies, monkeypatch: pytest.MonkeyPatch
) -> None:
    copies.declare({"id": Type.TEXT, "name": Type.TEXT})
    copies.put(*({"id": {"S": key}, "name": {"S": "before"}, "x": NULL} for key in ("changed", "gone", "back")))
    copies.run()
    before = copies.held("new")
    asked: dict[str, Any] = {"extra": Extra.REMOVE, "max_remove_share": 1}
    run = run_of(copies.migration, copies.ledger, copies.workspace, lambda _: copies.store, "again", **asked)

    def lost(step: Step) -> None:
        if step.id.endswith("read_back"):
            raise StoreUnavailableError("gone")

    def gone(*given: Any, **more: Any) -> None:
        raise StoreUnavailableError("gone")

    copies.put(*({"id": {"S": key}, "name": {"S": "first"}} for key in ("changed", "gone", "added", "came")))
    copies.store.client.delete_item(TableName="old", Key={"id": {"S": "back"}})
    with pytest.raises(StoreUnavailableError):
        walk(run, seen=lost)
    assert copies.held("new") == copies.held("old")
    copies.put(*({"id": {"S": key}, "name": {"S": "second"}} for key in ("changed", "added", "back")))
    for key in ("gone", "came"):
        copies.store.client.delete_item(TableName="old", Key={"id": {"S": key}})
    with monkeypatch.context() as patch:
        for name in ("add", "change", "remove"):
            patch.setattr(copies.store, name, gone)
        with pytest.raises(StoreUnavailableError):
            walk(run)
    assert copies.ledger.entered("again").attempt == 2
    copies.run(undoes="again")
    assert copies.held("new") == before
