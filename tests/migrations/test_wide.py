"""A table of more columns than most: there, changed, and back."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from include.embedded import postgres
from include.trueup.declare.migration import Type
from include.trueup.ledger import Ledger
from include.trueup.run.workspace import Workspace
from include.trueup.stores.postgres import PostgresStore
from include.trueup.walk import walk
from tests.copying import declare_copy
from tests.harness import new_database, run_of, run_sql

COLUMNS = 320


def test_a_wide_table_is_changed_and_put_back_within_a_steps_memory(
    postgres_server: postgres.Server, ledger: Ledger, workspace: Workspace, tmp_path: Path
) -> None:
    uri = new_database(postgres_server)
    names = [f"c{n}" for n in range(COLUMNS)]
    create = f"(id bigint PRIMARY KEY, {', '.join(f'{name} text' for name in names)})"
    run_sql(uri, f"CREATE TABLE old {create}", f"CREATE TABLE new {create}")
    run_sql(uri, *(f"INSERT INTO old (id, c0, c{COLUMNS - 1}) VALUES ({n}, 'old', 'text')" for n in range(3)))
    migration = declare_copy(tmp_path, {"id": Type.INTEGER, **dict.fromkeys(names, Type.TEXT)})
    store = PostgresStore(uri)
    difference = "SELECT count(*) FROM ((TABLE old EXCEPT TABLE new) UNION ALL (TABLE new EXCEPT TABLE old)) d"

    def run(id: str, undoes: str | None = None) -> str:
        made = run_of(migration, ledger, workspace, lambda _: store, id)
        if undoes:
            made = replace(made, undoes=undoes, options=replace(made.options, partitions=None))
        return str(walk(made).proof)

    assert run("there") == "proven"
    before = run_sql(uri, "SELECT new::text FROM new ORDER BY id")
    run_sql(uri, f"UPDATE old SET {', '.join(f'{name} = id::text' for name in names)}")
    assert run("changed") == "proven"
    assert run_sql(uri, difference) == [(0,)]
    assert run("back", undoes="changed") == "proven"
    assert run_sql(uri, "SELECT new::text FROM new ORDER BY id") == before
