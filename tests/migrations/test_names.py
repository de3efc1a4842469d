"""No name of an author's, and no folder's, reaches a value: odd columns go there and back, exactly; what cannot be told
apart is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from include.embedded import postgres
from include.trueup.declare.migration import Derived, Migration, Source, Statement, Table, Type
from include.trueup.errors import ArtifactError, DeclarationError, SourceError
from include.trueup.ledger import Ledger
from include.trueup.run import LAST
from include.trueup.run.workspace import Workspace
from include.trueup.stores.postgres import PostgresStore
from include.trueup.walk import walk
from tests.copying import Here, declare_copy
from tests.harness import new_database, run_of

ONCE_OURS = (
    *(
        "_verb",
        "_before",
        "_part",
        "_in_window",
        "_row_id",
        "_place",
        "_gone",
        "_made_by",
        "_rows",
        "_findings",
        "_alone",
    ),
    *("key", "hash", "hashes", "place", "added", "there", "unit", "kind", "planned", "found", "expected", "known"),
    *("suspects", "missing", "wrong", "message", "severity", "code", "ours", "verb", "read", "number", "n"),
    *("i", "s", "k", "p", "w", "e", "f", "u", "b", "r", "a", "c", "m"),
    *("rows", "rows_also", "findings", "figures", "params", "undeclared", "left_alone", "source", "target", "row"),
)
OF_SQL = (
    "select",
    "from",
    "order",
    "group",
    "table",
    "user",
    "default",
    "null",
    "all",
    "end",
    "case",
    "exclude",
    "value",
)
OF_NO_LANGUAGE = (
    'a "quote"',
    "it's",
    "a b",
    " ",
    "x.y",
    "*",
    "?",
    "%s",
    "%",
    "{}",
    "{name}",
    "$1",
    ";--",
    "\\",
    "🦆",
    "é",
    "É",
)
OF_FOLDERS = ("region", "filename", "file_row_number", "rowid", "ctid_")
ODD = (*ONCE_OURS, *OF_SQL, *OF_NO_LANGUAGE, *OF_FOLDERS)
ROWS = 6


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


class There(Here):
    """Runs and rollbacks of one migration, over a table `old` of these columns, all text and keyed by the first."""

    def __init__(self, uri: str, ledger: Ledger, workspace: Workspace, names: tuple[str, ...], folder: Path) -> None:
        super().__init__(uri, ledger, workspace)
        self.names = names
        columns = ", ".join(f"{quoted(name)} text" for name in names)
        values = ", ".join(f"'{n}-' || n" for n in range(len(names)))
        self.sql(
            f"CREATE TABLE old ({columns}, PRIMARY KEY ({quoted(names[0])}))",
            "CREATE TABLE new (LIKE old INCLUDING ALL)",
            f"INSERT INTO old SELECT {values} FROM generate_series(1, {ROWS}) n",
            f"INSERT INTO new SELECT * FROM old WHERE {quoted(names[0])} IN ('0-1', '0-2')",
            f"UPDATE new SET {quoted(names[-1])} = 'before'",
        )
        copied = ", ".join(map(quoted, names))
        self.migration = declare_copy(
            folder, dict.fromkeys(names, Type.TEXT), key=names[:1], select=f"{copied}, _key AS _source"
        )

    def there(self, table: str = "new") -> list[tuple[Any, ...]]:
        return self.sql(f"SELECT * FROM {table} ORDER BY 1")

    def forward(self, **options: Any) -> dict[str, int]:
        report = self.run(self.migration, partitions=2, **options)
        assert report["verdict"]["status"] == "passed"
        return verbs(report)

    def back(self) -> dict[str, int]:
        self.count += 1
        store = PostgresStore(self.uri, patience=2)
        run = run_of(self.migration, self.ledger, self.workspace, lambda _: store, f"back-{self.count}")
        run = replace(run, dag_id="copying_rollback", undoes=LAST, options=replace(run.options, partitions=None))
        walk(run)
        return verbs(run.folder.read_json("report.json"))


def verbs(report: dict[str, Any]) -> dict[str, int]:
    (phase,) = report["plan"]["phases"]
    return {verb: n for verb, n in phase["rows"].items() if n}


@pytest.mark.parametrize(("key", "others"), [("_verb", ODD), ("message", ODD[::8])])
def test_odd_names_go_there_and_back(
    key: str, others: tuple[str, ...], postgres_server: postgres.Server, ledger: Ledger, tmp_path: Path
) -> None:
    """Every name at once as a column, two as the key, in a workspace whose path could be read as values and patterns."""
    (folder := tmp_path / "region=eu-central-1" / "it's [a] *?").mkdir(parents=True)
    names = (key, *(name for name in others if name != key))
    workspace = Workspace(str(folder / "_verb=add"))
    here = There(new_database(postgres_server), ledger, workspace, names, folder)
    before = here.there()
    assert here.forward() == {"add": ROWS - 2, "change": 2}
    assert here.there() == here.there("old")
    here.sql(f"UPDATE old SET {quoted(names[1])} = 'other' WHERE {quoted(key)} = '0-3'")
    assert here.forward() == {"keep": ROWS - 1, "change": 1}
    assert here.there() == here.there("old")
    assert here.forward() == {"keep": ROWS}
    assert here.back() == {"change": 1}
    assert here.back() == {"remove": ROWS - 2, "change": 2}
    assert here.there() == before


def test_a_row_that_somebody_else_changed_is_told_by_odd_names_too(
    postgres_server: postgres.Server, ledger: Ledger, workspace: Workspace, tmp_path: Path
) -> None:
    here = There(new_database(postgres_server), ledger, workspace, ("key", "i", "k", "p", "_before", "found"), tmp_path)
    here.forward()
    here.sql(
        """UPDATE new SET "k" = 'theirs' WHERE "key" = '0-3'""", """UPDATE old SET "p" = 'new' WHERE "key" < '0-5'"""
    )
    assert here.forward(max_left_alone=1) == {"change": 3, "drift": 1, "keep": 2}
    assert here.sql("""SELECT "k" FROM new WHERE "key" = '0-3'""") == [("theirs",)]


# what is refused

COLUMNS = {"id": Type.TEXT}


def table(columns: dict[str, Type]) -> Table:
    return Table(name="t", connection="c", key=("id",), columns={**COLUMNS, **columns})


@pytest.mark.parametrize("name", ["_key", "_KEY", "_Extra", "_source", "__trueup_verb", "__TrueUp_x"])
def test_names_of_the_engines_own_are_refused(name: str) -> None:
    with pytest.raises(DeclarationError, match=f"table 't': column name '{name}' .* reserved by Trueup"):
        table({name: Type.TEXT})


def test_columns_that_differ_by_case_only_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DeclarationError, match=r"'Email' and 'email' differ by case only.*through a view"):
        table({"Email": Type.TEXT, "email": Type.TEXT})
    (tmp_path / "q.sql").write_text("SELECT 1")
    with pytest.raises(DeclarationError, match="derived 'd': the columns 'id' and 'ID' differ by case only"):
        Derived(id="d", name="d", columns={"id": Type.TEXT, "ID": Type.TEXT}, key=("id",), query=tmp_path / "q.sql")
    assert table({"é": Type.TEXT, "É": Type.TEXT}).columns  # to DuckDB these are two


def named(folder: Path, id: str, **more: Any) -> Migration:
    made = declare_copy(folder, COLUMNS)
    return replace(made, sources=(*made.sources, Source(id=id, table=table({}), partition_by=None)), **more)


@pytest.mark.parametrize("id", ["rows", "rows_also", "findings", "figures", "params", "undeclared"])
def test_relations_of_the_engines_own_are_refused(id: str, tmp_path: Path) -> None:
    with pytest.raises(DeclarationError, match=f"'{id}' is the name of a relation of Trueup's own"):
        named(tmp_path, id)
    with pytest.raises(DeclarationError, match="is the name of a relation of Trueup's own"):
        replace(declare_copy(tmp_path, COLUMNS), constants={id.title(): ({"id": "1"},)})


def test_what_statements_see_is_refused_where_there_are_some(tmp_path: Path) -> None:
    assert named(tmp_path, "before_target").sources[-1].id == "before_target"
    with pytest.raises(DeclarationError, match="'before_target' is the name of a relation of Trueup's own"):
        named(tmp_path, "before_target", statements=(Statement(title="T", query="SELECT true"),))


def test_relations_that_differ_by_case_only_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DeclarationError, match="'Source' is named twice"):
        replace(declare_copy(tmp_path, COLUMNS), constants={"Source": ({"id": "1"},)})


@pytest.fixture
def here(postgres_server: postgres.Server, ledger: Ledger, workspace: Workspace) -> Here:
    return Here(new_database(postgres_server), ledger, workspace)


def test_an_undeclared_column_is_not_taken_for_a_declared_one(here: Here, tmp_path: Path) -> None:
    here.sql("""CREATE TABLE old (id text PRIMARY KEY, email text, "Email" text)""")
    migration = declare_copy(
        tmp_path, {"id": Type.TEXT, "email": Type.TEXT}, select='id, "Email" AS email, id AS _source'
    )
    with pytest.raises(SourceError, match="'Email' beside the declared 'email': they differ by case only"):
        here.run(migration)


def test_a_column_in_another_case_is_named_as_undeclared(here: Here, tmp_path: Path) -> None:
    """PostgreSQL has `Email`, the declaration says `email`: neither is taken for the other."""
    here.sql("""CREATE TABLE old (id text PRIMARY KEY, "Email" text)""", "INSERT INTO old VALUES ('a', 'x')")
    with pytest.raises(SourceError, match="email"):
        here.run(declare_copy(tmp_path, {"id": Type.TEXT, "email": Type.TEXT}))


# what a script may do, and what it may not

COPY = "CREATE OR REPLACE VIEW rows AS SELECT id, id AS _source FROM source; "
NONE = (
    "CREATE OR REPLACE VIEW findings AS SELECT NULL AS _source, NULL AS key, '' AS severity, '' AS code, '' AS message"
)


def scripted(folder: Path, before: str) -> Migration:
    made = declare_copy(folder, COLUMNS)
    (folder / "copy.sql").write_text(f"{before}; {COPY}{NONE} WHERE false")
    return made


def test_a_script_cannot_take_rows_out_of_the_count(here: Here, tmp_path: Path) -> None:
    here.sql("CREATE TABLE old (id text PRIMARY KEY)", "INSERT INTO old VALUES ('a'), ('b')")
    fewer = "CREATE TEMP TABLE kept AS FROM source WHERE id = 'a'; CREATE OR REPLACE TEMP VIEW source AS FROM kept"
    report = {}
    with pytest.raises(Exception, match=r"counts|accounted"):
        report = here.run(scripted(tmp_path, fewer))
    assert not report


@pytest.mark.parametrize("setting", ["SET TimeZone = 'America/New_York'", "SET default_collation = 'nocase'"])
def test_a_script_cannot_change_what_values_are_compared_by(setting: str, here: Here, tmp_path: Path) -> None:
    here.sql("CREATE TABLE old (id text PRIMARY KEY)", "INSERT INTO old VALUES ('a')")
    with pytest.raises(DeclarationError, match=r"changes the setting (TimeZone|default_collation)"):
        here.run(scripted(tmp_path, setting))


def test_a_relation_that_is_missing_is_no_variable_of_the_engines(here: Here, tmp_path: Path) -> None:
    here.sql("CREATE TABLE old (id text PRIMARY KEY)")
    with pytest.raises(DeclarationError, match="before does not exist"):
        here.run(scripted(tmp_path, "CREATE TEMP TABLE x AS FROM before"))


def test_a_file_of_other_columns_is_refused(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    from include.trueup.rows import duck

    pq.write_table(pa.table({"id": ["a"], "more": ["x"]}), tmp_path / "f.parquet")
    id, more = pa.field("id", pa.string()), pa.field("more", pa.string())
    assert duck.parquet([tmp_path / "f.parquet"], pa.schema([more, id]))
    for schema in ([id], [id, pa.field("more", pa.int64())], [id, more, pa.field("else", pa.string())]):
        with pytest.raises(ArtifactError, match="does not have the expected columns"):
            duck.parquet([tmp_path / "f.parquet"], pa.schema(schema))
