"""A backup of a run on schemas is put back as it was, whatever the tables do by themselves."""

from __future__ import annotations

from pathlib import Path

from include.embedded import postgres
from include.trueup.ledger import Ledger
from include.trueup.run.workspace import Workspace
from include.trueup.schema.restore import restore
from include.trueup.walk import walk
from tests.harness import run_sql
from tests.schemas import Databases, answered, history, migration_of, revision

MADE = (
    "CREATE TABLE day (at int PRIMARY KEY, note text) PARTITION BY RANGE (at)",
    "CREATE TABLE day_1 PARTITION OF day FOR VALUES FROM (1) TO (10)",
    "CREATE TABLE day_rest PARTITION OF day DEFAULT",
    "CREATE TABLE thing (id serial PRIMARY KEY, note text, at int REFERENCES day DEFERRABLE INITIALLY DEFERRED)",
)
TRIGGERS = (
    "CREATE TABLE log (note text)",
    "CREATE FUNCTION stamp() RETURNS trigger LANGUAGE plpgsql AS $$ {} $$".format(
        "BEGIN INSERT INTO log VALUES (NEW.note); NEW.note = 'stamped'; RETURN NEW; END"
    ),
    "CREATE TRIGGER stamps BEFORE INSERT ON thing FOR EACH ROW EXECUTE FUNCTION stamp()",
    "CREATE TRIGGER never BEFORE INSERT ON thing FOR EACH ROW EXECUTE FUNCTION stamp()",
    "CREATE TRIGGER always BEFORE INSERT ON day_rest FOR EACH ROW EXECUTE FUNCTION stamp()",
    "ALTER TABLE thing DISABLE TRIGGER never",
    "ALTER TABLE day_rest ENABLE ALWAYS TRIGGER always",
)


def test_parts_come_with_their_table_no_trigger_fires_and_no_sequence_goes_backwards(
    tmp_path: Path, postgres_server: postgres.Server, ledger: Ledger, workspace: Workspace
) -> None:
    down = "DROP TABLE thing; DROP TABLE day"
    made = history(tmp_path, revision("SELECT 1"), revision("; ".join(MADE), down))
    databases = Databases(postgres_server, migration_of(made, phases=2), ledger, workspace)
    uri = databases.uri("app")
    walk(databases.run(1))
    run_sql(
        uri, "INSERT INTO day VALUES (1, 'a'), (20, 'b')", "INSERT INTO thing (note, at) VALUES ('c', 1), ('d', 20)"
    )
    run = databases.run(0)
    answered(run)
    run_sql(uri, *MADE, *TRIGGERS, "SELECT setval('thing_id_seq', 100)")
    restored = restore(workspace.run("restore"), run.folder, "app", uri)
    assert [(t.table, t.rows) for t in restored.tables] == [("day", 2), ("day_1", 1), ("day_rest", 1), ("thing", 2)]
    assert run_sql(uri, "SELECT note FROM day UNION ALL SELECT note FROM thing ORDER BY 1") == [
        *zip("abcd", strict=True)
    ]
    assert run_sql(uri, "SELECT * FROM log") == []
    assert run_sql(uri, "SELECT nextval('thing_id_seq')::int") == [(101,)]
    enabled = "SELECT tgname::text, tgenabled::text FROM pg_trigger WHERE NOT tgisinternal ORDER BY 1"
    assert run_sql(uri, enabled) == [("always", "A"), ("never", "D"), ("stamps", "O")]
