"""Rows that belong to a row of the source are replaced as a set: what it gives no more is removed, within the budget."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from include.embedded import postgres
from include.trueup.declare.migration import Migration, Output, Phase, Source, Table, Target, Type
from include.trueup.errors import DeclarationError, TrueupError
from include.trueup.ledger import Ledger
from include.trueup.run import LAST, Mode, Window
from include.trueup.run.workspace import Workspace
from include.trueup.stores.postgres import PostgresStore
from include.trueup.walk import walk
from tests.harness import new_database, run_of, run_sql

if TYPE_CHECKING:
    from great_expectations.expectations import Expectation

TABLES = (
    "CREATE TABLE orders (id text PRIMARY KEY, note text, items jsonb, at timestamptz)",
    "CREATE TABLE heads (id text PRIMARY KEY, note text)",
    "CREATE TABLE lines (head text, n integer, what text, PRIMARY KEY (head, n))",
    """INSERT INTO orders VALUES ('o1', 'one', '["a", "b"]', '2025-01-01Z'), ('o2', 'two', '[]', '2025-01-02Z'),
    ('o3', NULL, '["c"]', '2025-01-03Z'), ('o4', 'four', '["d"]', '2025-01-04Z')""",
    # o2 has a line that its order has not, o1 three, o3 is rejected, o9 is nobody's
    "INSERT INTO heads VALUES ('o1', 'was'), ('o2', 'two')",
    "INSERT INTO lines SELECT 'o1', n, 'old' FROM generate_series(1, 5) n",
    "INSERT INTO lines VALUES ('o2', 1, 'old'), ('o3', 7, 'old'), ('o9', 1, 'old')",
)
ROWS = """
CREATE OR REPLACE VIEW rows AS SELECT id, note, id AS _source FROM orders WHERE note IS NOT NULL;
CREATE OR REPLACE VIEW rows_lines AS SELECT id AS head, n, items ->> ('$[' || (n - 1) || ']') AS what, id AS _source
FROM (SELECT *, unnest(range(1, 1 + CAST(json_array_length(items) AS BIGINT))) AS n FROM orders WHERE note IS NOT NULL);
CREATE OR REPLACE VIEW findings AS SELECT id AS _source, id AS key, 'reject' AS severity, 'no_note' AS code, 'x' AS message
FROM orders WHERE note IS NULL
"""
AS_IT_SHOULD_BE = {("o1", 1, "a"), ("o1", 2, "b"), ("o3", 7, "old"), ("o4", 1, "d"), ("o9", 1, "old")}


def _suite() -> list[Expectation]:
    import great_expectations.expectations as gxe

    return [gxe.ExpectColumnValuesToNotBeNull(column="_key")]


def _whole() -> list[Expectation]:
    import great_expectations.expectations as gxe

    return [gxe.ExpectColumnValuesToBeInSet(column="unaccounted", value_set=[0])]


def declared(folder: Path, **of_lines: Any) -> Migration:
    (folder / "rows.sql").write_text(ROWS)
    text = Type.TEXT

    def table(name: str, key: tuple[str, ...], **columns: Type) -> Table:
        return Table(name=name, connection="c", key=key, columns=columns)

    orders = table("orders", ("id",), id=text, note=text, items=Type.JSON, at=Type.TIMESTAMP)
    lines = {
        "table": table("lines", ("head", "n"), head=text, n=Type.INTEGER, what=text),
        "partition_by": ("head",),
        **of_lines,
    }
    outputs = (Output(target="heads", suite=_suite), Output(target="lines", parent=("head",)))
    return Migration(
        id="orders", title="Orders", owner="tests", doc="",
        sources=(Source(id="orders", table=orders, partition_by=("id",), window="at"),),
        targets=(Target(id="heads", table=table("heads", ("id",), id=text, note=text)), Target(id="lines", **lines)),
        phases=(Phase(id="all", title="All", source="orders", outputs=outputs, transform=folder / "rows.sql"),),
        suite=_whole,
    )  # fmt: skip


class Orders:
    """Runs of the migration, one after the other."""

    def __init__(self, uri: str, migration: Migration, ledger: Ledger, workspace: Workspace) -> None:
        self.uri, self.migration, self.ledger, self.workspace = uri, migration, ledger, workspace
        self._count = 0

    def __call__(self, undoes: str | None = None, **options: Any) -> dict[str, int]:
        """The rows of a run that passes, by verb."""
        self._count += 1
        id = f"run-{self._count}"
        asked = {"partitions": 2, "max_remove_share": 1, **options}
        run = run_of(self.migration, self.ledger, self.workspace, lambda _: PostgresStore(self.uri), id, **asked)
        if undoes is not None:
            run = replace(run, dag_id="orders_rollback", undoes=undoes, options=replace(run.options, partitions=None))
        walk(run)
        rows = run.folder.read_json("report.json")["plan"]["phases"][0]["rows"]
        return {verb: n for verb, n in rows.items() if n}

    def refused(self, why: str, **options: Any) -> None:
        before = self.lines()
        with pytest.raises(TrueupError, match=why):
            self(**options)
        assert self.lines() == before

    def lines(self) -> set[tuple[Any, ...]]:
        return {*run_sql(self.uri, "SELECT head, n, what FROM lines")}


@pytest.fixture
def orders(postgres_server: postgres.Server, ledger: Ledger, workspace: Workspace, tmp_path: Path) -> Orders:
    uri = new_database(postgres_server)
    run_sql(uri, *TABLES)
    return Orders(uri, declared(tmp_path), ledger, workspace)


def test_a_set_is_replaced_whole_proven_and_put_back(orders: Orders) -> None:
    before = orders.lines()
    # 4 of the 6 lines that are there and belong to orders
    orders.refused(
        r"4 of the 6 rows that earlier runs added, or that belong to rows of the source, would be removed \(66.7%\).*4 of lines",
        max_remove_share=0.3,
    )
    assert orders(mode=Mode.PLAN) == {"add": 2, "change": 3, "remove": 4, "keep": 1, "extra": 2}
    assert orders.lines() == before
    assert orders()["remove"] == 4
    assert orders.lines() == AS_IT_SHOULD_BE
    assert orders(mode=Mode.VERIFY) == {"keep": 6, "extra": 2}
    assert orders() == {"keep": 6, "extra": 2}
    back = orders(undoes=LAST)
    assert (back["add"], back["remove"]) == (4, 2)
    assert orders.lines() == before


def test_a_line_that_should_be_gone_is_not_proven(orders: Orders) -> None:
    orders()
    run_sql(orders.uri, "INSERT INTO lines VALUES ('o2', 9, 'odd')")
    orders.refused("1 of 4 planned rows of lines are not as they were written", mode=Mode.VERIFY)


def test_what_somebody_else_made_since_is_drift_with_all_that_is_written_with_it(orders: Orders) -> None:
    orders()
    run_sql(
        orders.uri,
        "INSERT INTO lines VALUES ('o2', 9, 'odd')",
        "UPDATE orders SET note = 'new' WHERE id IN ('o1', 'o2')",
    )
    orders.refused("changed by somebody else, and would be left alone", max_left_alone=0)
    assert orders(max_left_alone=2) == {"keep": 4, "change": 1, "drift": 2, "extra": 2}
    assert ("o2", 9, "odd") in orders.lines()
    found = (orders.workspace.read("runs/run-3/findings.csv") or b"").decode()
    assert "belongs to a row whose set is replaced whole" in found
    assert orders(overwrite_drift=True)["remove"] == 1
    assert orders.lines() == AS_IT_SHOULD_BE


def test_a_window_replaces_the_sets_of_its_own_rows_alone(orders: Orders) -> None:
    day = Window(start=datetime(2025, 1, 2, tzinfo=UTC), end=datetime(2025, 1, 3, tzinfo=UTC))
    assert orders(window=day)["remove"] == 1
    assert orders.lines() == {row for row in orders.lines() if row[0] != "o2"}
    assert len(orders.lines()) == 7


def test_a_parent_that_cannot_be_one_is_refused_when_it_is_declared(tmp_path: Path) -> None:
    with pytest.raises(DeclarationError, match="make these the target's partition_by"):
        declared(tmp_path, partition_by=None)
    with pytest.raises(DeclarationError, match=r"the table must be the migration's"):
        declared(tmp_path, owned=("what",))
    (phase,) = declared(tmp_path).phases
    first = replace(phase, outputs=(replace(phase.outputs[0], parent=("id",)), phase.outputs[1]))
    with pytest.raises(DeclarationError, match="a parent is of a further output"):
        replace(declared(tmp_path), phases=(first,))
    with pytest.raises(DeclarationError, match="keeps existing rows replaces none"):
        replace(declared(tmp_path), phases=(replace(phase, keeps_existing="differs"),))
