"""Tables of every odd kind, carried there and back by what `make new` writes for them, in one run; and those that cannot be,
refused with the remedy."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest

from include.embedded import postgres
from include.trueup.declare import Migration, Phase, Source, Table, Target, columns
from include.trueup.declare.names import EXTRA, MISTYPED
from include.trueup.errors import DeclarationError, OptionsError, SourceError, StoreRejectedError
from include.trueup.ledger import Ledger
from include.trueup.run.workspace import Workspace
from tests.harness import new_database, run_sql
from tests.migrations.generated import NEW, OLD, Databases, merged, verbs

BEFORE, *_TABLES = re.split(
    r"^-- table: ", (Path(__file__).parent / "shapes/odd.sql").read_text(encoding="utf-8"), flags=re.M
)
SHAPES = {name: tuple(rest.split("-- rows\n")) for name, _, rest in (table.partition("\n") for table in _TABLES)}
"""Of each table what makes it, and its rows."""
MADE_ALIKE = ("unique_only", "keys")
"""Tables that are not in the new database: the first has no primary key by which it could be written."""


@pytest.fixture(scope="module")
def both(
    postgres_server: postgres.Server, ledger_template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Databases]:
    """The old database with all of these tables, and the new one with most of them, empty."""
    (folder := tmp_path_factory.mktemp("odd") / "workspace").mkdir()
    old, new = new_database(postgres_server), new_database(postgres_server)
    for uri in (old, new):
        run_sql(uri, BEFORE, *(ddl for name, (ddl, _) in SHAPES.items() if uri == old or name not in MADE_ALIKE))
    run_sql(old, "".join(rows for _, rows in SHAPES.values()))
    ledger = Ledger(new_database(postgres_server, like=ledger_template))
    yield Databases(old, new, ledger, Workspace(str(folder)), folder.parent)
    ledger.close()


@pytest.mark.parametrize("name", SHAPES)
def test_an_odd_table_is_read_written_and_removed(name: str, both: Databases) -> None:
    """What `make new` writes for it has no problem, and with that its rows are added, found, and removed again."""
    migration = both.generated(name)
    (source,), (target,) = migration.sources, migration.targets
    both.stores[NEW].create(target.table)
    run_sql(both.uris[NEW], SHAPES["tree"][1] if name == "of_tree" else "SELECT 1")
    written = list(target.table.columns)
    for batch in both.stores[OLD].read(source.table, 0, 1):
        rows = pa.Table.from_batches([batch]).select([*written, EXTRA, MISTYPED])
        for _ in range(2):  # the second time it finds them
            outcome = both.stores[NEW].add(target.table, rows)
            assert (outcome.written, outcome.conflicts, outcome.refused) == (rows.num_rows, [], [])
        assert both.rows(NEW, name, written) == both.rows(OLD, name, written)
        assert both.stores[NEW].get(target.table, rows.select(list(target.table.key))).num_rows == rows.num_rows
        assert both.stores[NEW].remove(target.table, rows).written == rows.num_rows
    assert bool(both.rows(OLD, name, written)) == (name != "empty")
    assert both.rows(NEW, name, written) == []
    run_sql(both.uris[NEW], "DELETE FROM tree" if name == "of_tree" else "SELECT 1")


@pytest.mark.slow
def test_odd_tables_go_there_and_back_in_a_run(both: Databases) -> None:
    generated = {name: both.generated(name, tested=True) for name in SHAPES}
    migration = merged("odd", *generated.values())
    columns_of = {name: list(one.targets[0].table.columns) for name, one in generated.items()}
    assert set(verbs(both.run(migration))) == {"add"}
    for name, listed in columns_of.items():
        assert both.rows(NEW, name, listed) == both.rows(OLD, name, listed), name
    assert set(verbs(both.run(migration))) == {"keep"}
    both.back(migration)
    assert [name for name, listed in columns_of.items() if both.rows(NEW, name, listed)] == []


REFUSED = {
    "loose": ("CREATE TABLE loose (a text)", OptionsError, "no primary key, and no unique index .*ADD PRIMARY KEY"),
    "nullable": ("CREATE TABLE nullable (a text UNIQUE)", OptionsError, "no primary key, and no unique index"),
    "seen": ("CREATE VIEW seen AS SELECT 1 AS id", OptionsError, "seen is a view, .*say them, as KEY=id"),
    "unfilled": (
        "CREATE MATERIALIZED VIEW unfilled AS SELECT 1 AS id WITH NO DATA",
        StoreRejectedError, "not been populated .*REFRESH MATERIALIZED VIEW unfilled",
    ),
    "far": (
        "CREATE FOREIGN DATA WRAPPER w; CREATE SERVER s FOREIGN DATA WRAPPER w; CREATE FOREIGN TABLE far (id int) SERVER s",
        OptionsError, "far is a foreign table, .*name that server's own table",
    ),
    "ours": ("CREATE TABLE ours (id int PRIMARY KEY, _key text)", DeclarationError, "'_key' is reserved by Trueup: read it through a view"),
    "twins": (
        'CREATE TABLE twins (id int PRIMARY KEY, email text, "Email" text)', DeclarationError,
        "'email' and 'Email' differ by case only.*such as through a view",
    ),
    "by_oid": ("CREATE TABLE by_oid (id oid PRIMARY KEY)", OptionsError, "key column 'id' is oid, .*declare a view"),
}  # fmt: skip


def test_what_cannot_be_carried_is_refused_with_the_remedy(
    postgres_server: postgres.Server, ledger: Ledger, workspace: Workspace, tmp_path: Path
) -> None:
    uri = new_database(postgres_server)
    here = Databases(uri, uri, ledger, workspace, tmp_path)
    for name, (ddl, error, words) in REFUSED.items():
        run_sql(uri, ddl)
        with pytest.raises(error, match=words):
            here.generated(name, "another")
    run_sql(uri, "CREATE TABLE fine (id int PRIMARY KEY)")
    run_sql(uri, "CREATE TABLE paid (id int PRIMARY KEY, price money NOT NULL)")
    written = {
        "loose": "loose has no primary key, by which",
        "seen": "only a table can be written",
        "paid": "'price' is never null, .* is money, .*give it a default, or another type",
    }
    for name, words in written.items():
        with pytest.raises(OptionsError, match=words):
            here.generated("fine", name)


@pytest.mark.slow
def test_views_are_sources(
    postgres_server: postgres.Server, ledger: Ledger, workspace: Workspace, tmp_path: Path
) -> None:
    """A view of what is refused, as its remedy says; and a view whose key is none is refused when it is read."""
    uri = new_database(postgres_server)
    here = Databases(uri, uri, ledger, workspace, tmp_path)
    run_sql(
        uri,
        'CREATE TABLE twins (id oid PRIMARY KEY, "Email" text, email text, _key text, price money)',
        "INSERT INTO twins VALUES (1, 'A', 'a', 'k', 1.50), (2, NULL, 'b', NULL, NULL)",
        """CREATE VIEW seen AS SELECT id::bigint AS id, "Email" AS mail, email, _key AS key, price::numeric AS price FROM twins""",
        "CREATE MATERIALIZED VIEW kept AS SELECT * FROM seen",
        "CREATE UNIQUE INDEX ON kept (id)",
    )
    (tmp_path / "rows.sql").write_text(
        "CREATE VIEW rows AS SELECT * EXCLUDE (_key, _extra, _mistyped), _key AS _source FROM seen"
    )
    typed = columns(integer="id", text="mail email key", number="price")
    declared = {name: Table(name=name, connection=OLD, key=("id",), columns=typed) for name in ("seen", "copy")}
    by_hand = Migration(
        id="by_hand", owner="tests", sources=(Source(table=declared["seen"]),), targets=(Target(table=declared["copy"]),),
        phases=(Phase(source="seen", target="copy", transform=tmp_path / "rows.sql"),),
    )  # fmt: skip
    both = merged("both", by_hand, here.generated("kept", "copy_of_kept"))
    assert verbs(here.run(both)) == {"add": 4}
    expected = run_sql(uri, "SELECT * FROM seen ORDER BY id")
    assert run_sql(uri, "SELECT id, mail, email, key, price FROM copy ORDER BY id") == expected
    assert run_sql(uri, "SELECT * FROM copy_of_kept ORDER BY id") == expected
    here.back(both)
    assert run_sql(uri, "SELECT id FROM copy UNION ALL SELECT id FROM copy_of_kept") == []
    run_sql(
        uri,
        'CREATE OR REPLACE VIEW seen AS SELECT 1::bigint AS id, "Email" AS mail, email, _key AS key, price::numeric FROM twins',
    )
    with pytest.raises(
        SourceError, match=r"seen has .*1 keys \(id\) that several rows have.*declare columns that tell its rows apart"
    ):
        here.run(both)
