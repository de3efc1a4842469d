"""DynamoDB has no catalogue of attributes: those that nobody declares are found by reading, and fail the plan's gate.
Typed JSON of any notation is brought into canonical form."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from include.trueup.declare.migration import Migration, Type
from include.trueup.errors import GateError
from include.trueup.ledger import Ledger
from include.trueup.run.workspace import Workspace
from include.trueup.stores.dynamodb import DynamoDBStore
from include.trueup.walk import walk
from tests.copying import declare_copy
from tests.harness import items, run_of

COLUMNS = {"id": Type.TEXT, "amount": Type.NUMBER}


def report(
    migration: Migration, store: DynamoDBStore, ledger: Ledger, workspace: Workspace, id: str, **options: Any
) -> Any:
    run = run_of(migration, ledger, workspace, lambda _: store, id, **options)
    walk(run)
    return run.folder.read_json("report.json")


def test_attributes_that_nobody_declares(
    empty_kpi_store: DynamoDBStore, ledger: Ledger, workspace: Workspace, tmp_path: Path
) -> None:
    store = empty_kpi_store
    into = {**COLUMNS, "doc": Type.JSON}
    select = """id, '1.50' AS amount, '{"n":{"N":"1.50"},"s":{"NS":["3","2.0"]}}' AS doc, _key AS _source"""
    migration = declare_copy(tmp_path, COLUMNS, into=into, select=select)
    store.create(migration.sources[0].table)
    for n in range(6):
        secret = {"secret": {"S": "x"}} if n < 4 else {}
        store.client.put_item(TableName="old", Item={"id": {"S": f"a{n}"}, "amount": {"N": str(n)}, **secret})
    with pytest.raises(
        GateError, match=r"attributes that nobody declares: source\.secret \(4 rows\)\. Declare them .*ignores"
    ):
        report(migration, store, ledger, workspace, "a", partitions=2)
    (source,) = migration.sources
    ignoring = replace(migration, sources=(replace(source, ignores=("secret",)),))
    assert report(ignoring, store, ledger, workspace, "b", partitions=2)["verdict"]["status"] == "passed"
    report(migration, store, ledger, workspace, "c", ignore_columns=("old.secret",), mode="verify")
    doc = {"n": {"N": "1.5"}, "s": {"NS": ["2", "3"]}}
    found = [item["doc"]["M"] for item in items(store, "new")]
    assert [{**one, "s": {"NS": sorted(one["s"]["NS"])}} for one in found] == [doc] * 6
