"""docs/types.md, line by line: what it says is carried is carried there and back, what it says is refused is refused."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest

from include.embedded import postgres
from include.trueup.declare.migration import Table, Type
from include.trueup.ledger import Ledger
from include.trueup.run import LAST
from include.trueup.run.workspace import Workspace
from include.trueup.stores.postgres import PostgresStore
from include.trueup.walk import walk
from tests.contract.postgres_rows import read, rows
from tests.contract.types_page import Line, lines, made_types
from tests.copying import Here, declare_copy
from tests.harness import fastest_engine, items, new_database, run_of, run_sql, store_at

CARRIED = lines("PostgreSQL")
_ELSEWHERE = (psycopg.errors.UndefinedObject, psycopg.errors.FeatureNotSupported)
"""What a server says of a type of an extension, or a part, that it was built without."""


class Typed(Here):
    """A database with a table `old` that has a column for each line, and runs that copy it into `new`."""

    def __init__(self, uri: str, ledger: Ledger, workspace: Workspace, folder: Path, given: list[Line]) -> None:
        super().__init__(uri, ledger, workspace)
        self.sql(made_types())
        self.lines = [line for line in given if self.has(line)]
        self.names = [f"c{n}" for n in range(len(self.lines))]
        columns = ", ".join(f"{name} {line.type}" for name, line in zip(self.names, self.lines, strict=True))
        self.sql(f"CREATE TABLE old (id int PRIMARY KEY, {columns})", "CREATE TABLE new (LIKE old INCLUDING ALL)")
        self.rows = max(len(line.values) for line in self.lines)
        types = [f"%s::{line.type}" for line in self.lines]
        with psycopg.connect(uri, autocommit=True) as connection:
            for row in range(self.rows):
                put = [line.values[row][0] if row < len(line.values) else None for line in self.lines]
                connection.execute(f"INSERT INTO old VALUES ({row}, {', '.join(types)})".encode(), put)
        declared = dict(zip(self.names, (Type[line.declared] for line in self.lines), strict=True))
        self.migration = declare_copy(folder, {"id": Type.INTEGER, **declared})

    def has(self, line: Line) -> bool:
        """Whether the server has the type."""
        try:
            with psycopg.connect(self.uri, autocommit=True) as connection:
                name = re.sub(r"\W.*", "", line.type)
                if connection.execute("SELECT FROM pg_available_extensions WHERE name = %s", [name]).rowcount:
                    connection.execute(f"CREATE EXTENSION IF NOT EXISTS {name}".encode())
                connection.execute(f"SELECT %s::{line.type}".encode(), [line.values[0][0]])
        except _ELSEWHERE:
            return False
        return True

    def printed(self, table: str) -> list[dict[str, str | None]]:
        """Each row as the server prints its values: blanks at the end of a char are printed, and a cast would lose them."""
        texts = ", ".join(f"CASE WHEN {name} IS NOT NULL THEN format('%s', {name}) END" for name in self.names)
        return [dict(zip(self.names, row, strict=True)) for row in self.sql(f"SELECT {texts} FROM {table} ORDER BY id")]

    def expected(self) -> list[dict[str, str | None]]:
        """The rows of `old` as `new` is to print them."""
        rows = self.printed("old")
        for name, line in zip(self.names, self.lines, strict=True):
            otherwise = {given: printed for given, printed in line.values if printed is not None}
            for row in rows:
                row[name] = otherwise.get(row[name] or "", row[name])
        return rows

    def forward(self, **options: Any) -> dict[str, int]:
        return verbs(self.run(self.migration, **options))

    def back(self) -> None:
        self.count += 1
        store = PostgresStore(self.uri, patience=2)
        run = run_of(self.migration, self.ledger, self.workspace, lambda _: store, f"back-{self.count}")
        walk(replace(run, dag_id="copying_rollback", undoes=LAST, options=replace(run.options, partitions=None)))


def verbs(report: dict[str, Any]) -> dict[str, int]:
    (phase,) = report["plan"]["phases"]
    return {verb: n for verb, n in phase["rows"].items() if n}


@pytest.fixture(scope="module")
def uri(postgres_server: postgres.Server) -> str:
    return new_database(postgres_server)


def test_what_is_carried_goes_there_and_back(
    postgres_server: postgres.Server, ledger: Ledger, workspace: Workspace, tmp_path: Path
) -> None:
    """Every line at once, a column for each: added, changed for the next value of the line (but row 0), put back, removed."""
    there = Typed(new_database(postgres_server), ledger, workspace, tmp_path, CARRIED)
    assert there.forward() == {"add": there.rows}
    first = there.expected()
    assert there.printed("new") == first
    moved = ", ".join(f"{name} = o.{name}" for name in there.names)
    there.sql(f"UPDATE old SET {moved} FROM old o WHERE old.id > 0 AND o.id = (old.id + 1) % {there.rows}")
    assert there.forward() == {"change": there.rows - 1, "keep": 1}
    assert there.printed("new") == there.expected()
    there.back()
    assert there.printed("new") == first
    there.back()
    assert there.printed("new") == []


def test_what_has_no_place_in_its_type_is_rejected_and_carried_by_the_other(
    postgres_server: postgres.Server, ledger: Ledger, workspace: Workspace, tmp_path: Path
) -> None:
    odd = lines("Values that have no place in their type", values=2)
    each = [Line(line.type, (line.cells[0],), (value,)) for line in odd for value in line.values]
    there = Typed(new_database(postgres_server), ledger, workspace, tmp_path, each)
    (row,) = there.printed("old")
    there.sql("TRUNCATE old")
    for n, (name, line) in enumerate(zip(there.names, each, strict=True)):
        there.sql(f"INSERT INTO old (id, {name}) VALUES ({n}, '{row[name]}'::{line.type})")
    report = there.run(there.migration, max_reject_share=1)
    (phase,) = report["plan"]["phases"]
    assert phase["rejected"] == len(each), report["plan"]
    assert there.printed("new") == []
    for line in odd:
        (instead,) = (c for c in CARRIED if c.type == line.type and c.declared == line.cells[1])
        assert {given for given, _ in line.values if "inf" in given.lower() or given == "NaN"} <= {
            given for given, _ in instead.values
        }


def test_what_cannot_be_declared_is_refused_and_carried_by_a_view(uri: str) -> None:
    refused = [line for line in lines("Types that cannot be declared") if line.type]
    store = PostgresStore(uri)
    columns = [f"c{n}" for n in range(len(refused))]
    run_sql(
        uri,
        f"CREATE TABLE t (id int PRIMARY KEY, {', '.join(f'{c} {r.type}' for c, r in zip(columns, refused, strict=True))})",
    )
    declared = Table(
        name="t", connection="c", key=("id",), columns={"id": Type.INTEGER, **dict.fromkeys(columns, Type.TEXT)}
    )
    found = store.describe(declared)
    assert found is not None
    for column, line, said in zip(columns, refused, found.misfits, strict=True):
        assert re.search(
            rf"column '{column}' is .*only has a meaning in one database.*or declare a view that casts it", said
        ), line
    views = {c: line.cells[0].replace("c::", f"{c}::") for c, line in zip(columns, refused, strict=True)}
    run_sql(uri, f"CREATE VIEW v AS SELECT id, {', '.join(f'{as_} AS {c}' for c, as_ in views.items())} FROM t")
    for n, (column, line) in enumerate(zip(columns, refused, strict=True)):
        for given, _ in line.values:
            run_sql(
                uri,
                f"INSERT INTO t (id, {column}) VALUES ({n}, '{given}') ON CONFLICT (id) DO UPDATE SET {column} = excluded.{column}",
            )
    view = Table(
        name="v", connection="c", key=("id",),
        columns={"id": Type.INTEGER, **{c: Type[r.declared] for c, r in zip(columns, refused, strict=True)}},
    )  # fmt: skip
    described = store.describe(view)
    assert described is not None
    assert described.misfits == ()
    for row, (column, line) in zip(read(store, view), zip(columns, refused, strict=True), strict=True):
        assert Decimal(str(row[column])) == Decimal(line.values[-1][0]) if line.declared != "TEXT" else row[column]


def test_every_type_that_a_column_can_have_is_on_the_page(uri: str) -> None:
    """The types of the server itself, but pseudo-types, arrays, and those of its own catalogue."""
    query = (
        "SELECT format_type(oid, NULL) FROM pg_type WHERE typnamespace = 'pg_catalog'::regnamespace"
        " AND typtype IN ('b', 'r', 'm') AND typcategory <> 'A' AND typelem = 0"
    )
    other = {line.type for heading in ("PostgreSQL", "Types that cannot be declared") for line in lines(heading)}
    with psycopg.connect(uri) as connection:
        there = {name for (name,) in connection.execute(query)}
        said = set()
        for name in other - {"mood", "mood[]", "word", "year", "pair", "pair[]", "hstore", "citext", "vector(3)"}:
            row = connection.execute(
                "SELECT format_type(to_regtype(%s), NULL)", [re.sub(r"\(.*\)", "", name)]
            ).fetchone()
            said.add(row[0] if row else name)
    assert {name for name in there - said if name not in OF_THE_CATALOGUE} == set()


OF_THE_CATALOGUE = {
    "aclitem", "cid", "gtsvector", "pg_brin_bloom_summary", "pg_brin_minmax_multi_summary", "pg_dependencies", "pg_mcv_list",
    "pg_ndistinct", "pg_node_tree", "refcursor", "regcollation", "regconfig", "regdictionary", "regnamespace", "regoper",
    "regoperator", "regprocedure", "regdatabase", "oid8",
    # like those of their kind that are there
    "int8range", "daterange", "tsrange", "int8multirange", "nummultirange", "tsmultirange", "tstzmultirange",
}  # fmt: skip


@pytest.fixture
def engine() -> Iterator[Any]:
    with fastest_engine() as found:
        yield store_at(found.endpoint)


def test_attributes_of_dynamodb_go_there_and_back(
    engine: Any, ledger: Ledger, workspace: Workspace, tmp_path: Path
) -> None:
    page = lines("DynamoDB")
    declared = {line.type: Type[line.declared] for line in page if line.declared in Type.__members__}
    columns = {"id": Type.TEXT, "NULL": Type.TEXT, **declared}
    listed = ", ".join(f'"{name}"' for name in columns)
    migration = declare_copy(tmp_path, columns, select=f"{listed}, _extra, _mistyped, _key AS _source")
    source = migration.sources[0].table
    engine.create(source)
    deep: Any = {"S": "bottom"}
    for _ in range(31):
        deep = {"M": {"n": deep}}
    given = [(line.type, json.loads(text)) for line in page for text, _ in line.values] + [
        ("M", deep),
        ("more", {"NULL": True}),
    ]
    for n, (name, value) in enumerate(given):
        engine.client.put_item(TableName="old", Item={"id": {"S": f"{n:03}"}, name: _bytes(value)})
    walk(run_of(migration, ledger, workspace, lambda _: engine, "r"))
    old, new = ({item["id"]["S"]: _plain(item) for item in items(engine, table)} for table in ("old", "new"))
    assert len(old) == len(given)
    assert new == {id: {name: v for name, v in item.items() if v != {"NULL": True}} for id, item in old.items()}
    walk(run_of(migration, ledger, workspace, lambda _: engine, "s"))
    assert verbs(workspace.run("s").read_json("report.json")) == {"keep": len(given)}
    run = run_of(migration, ledger, workspace, lambda _: engine, "b")
    walk(replace(run, dag_id="copying_rollback", undoes="r", options=replace(run.options, partitions=None)))
    assert items(engine, "new") == []


def _mapped(value: Any, change: Callable[[str, Any], Any]) -> Any:
    """The attribute value with its leaves changed."""
    ((tag, held),) = value.items()
    if tag == "M":
        return {tag: {name: _mapped(one, change) for name, one in held.items()}}
    if tag == "L":
        return {tag: [_mapped(one, change) for one in held]}
    return {tag: change(tag, held)}


def _bytes(value: Any) -> Any:
    """From DynamoDB's JSON to boto3's form."""
    decode = base64.b64decode
    return _mapped(value, lambda tag, v: decode(v) if tag == "B" else [decode(b) for b in v] if tag == "BS" else v)


def _plain(item: dict[str, Any]) -> dict[str, Any]:
    """Numbers by value, sets without an order."""

    def change(tag: str, value: Any) -> Any:
        if tag == "N":
            return Decimal(value)
        return {Decimal(v) if tag == "NS" else v for v in value} if tag in ("NS", "SS", "BS") else value

    return {name: _mapped(value, change) for name, value in item.items()}


def test_a_misfit_names_what_to_declare(uri: str) -> None:
    """Whatever is declared for a column of another kind is refused, with the type that the page has for it."""
    run_sql(uri, "CREATE TABLE m (id int PRIMARY KEY, n numeric, at timestamptz, j jsonb)")
    store = PostgresStore(uri)
    wrong = {"n": Type.BOOLEAN, "at": Type.DATE, "j": Type.BINARY}
    found = store.describe(Table(name="m", connection="c", key=("id",), columns={"id": Type.INTEGER, **wrong}))
    assert found is not None
    assert [re.sub(".*: ", "", said) for said in found.misfits] == [
        "declare Type.NUMBER", "declare Type.TIMESTAMP", "declare Type.JSON",
    ]  # fmt: skip


def test_a_key_without_overlaps_is_read_and_not_written(uri: str) -> None:
    if run_sql(uri, "SELECT current_setting('server_version_num')::int < 180000") == [(True,)]:
        pytest.skip("PostgreSQL has it from 18")
    run_sql(
        uri,
        "CREATE TABLE spans (a int4range, b daterange, PRIMARY KEY (a, b WITHOUT OVERLAPS))",
        "INSERT INTO spans VALUES ('[1,2)', '[2024-01-01,2024-02-01)'), ('[1,2)', '[2024-02-01,)')",
    )
    store = PostgresStore(uri)
    declared = Table(name="spans", connection="c", key=("a", "b"), columns=dict.fromkeys(("a", "b"), Type.TEXT))
    described = store.describe(declared)
    assert described is not None
    assert described.identified
    assert [row["b"] for row in read(store, declared)] == ["[2024-01-01,2024-02-01)", "[2024-02-01,)"]
    (said,) = described.unwritable
    assert said.endswith("make that a UNIQUE constraint, and the same columns an ordinary primary key")
    run_sql(
        uri,
        "DROP TABLE spans",
        "CREATE TABLE spans (a int4range, b daterange, PRIMARY KEY (a, b), UNIQUE (a, b WITHOUT OVERLAPS))",
    )
    described = store.describe(declared)
    assert described is not None
    assert described.unwritable == ()
    given = rows(declared, {"a": "[1,2)", "b": "[2024-01-01,2024-02-01)"}, {"a": "[1,2)", "b": "[2024-01-15,)"})
    outcome = store.add(declared, given)
    assert (outcome.written, [row.constraint for row in outcome.refused]) == (1, ["spans_a_b_key"])
