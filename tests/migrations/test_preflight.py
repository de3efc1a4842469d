"""Preflight refuses what would not be read or written as it is: by table, column and type, before anything is read."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from include.embedded import postgres
from include.trueup.declare.migration import Type
from include.trueup.errors import SourceError
from include.trueup.ledger import Ledger
from include.trueup.run import Window
from include.trueup.run.workspace import Workspace
from include.trueup.stores.postgres import catalog
from include.trueup.walk.preflight import EMBEDDED
from tests.copying import Here, declare_copy
from tests.harness import new_database

OLDS = {"id": Type.INTEGER, "score": Type.FLOAT, "small": Type.FLOAT, "born": Type.DATE, "seen": Type.DATETIME}
CREATE = "CREATE TABLE {} (id bigint PRIMARY KEY, score float8, small float4, born date, seen timestamp NOT NULL)"
FILL = (
    "INSERT INTO old SELECT n, n / 3.0, n / 3.0, date '2024-02-29' - n * 40000, timestamp '2024-02-29 12:00' + n * interval"
    " '1.000001 s' FROM generate_series(1, 20) n"
)


@pytest.fixture
def here(postgres_server: postgres.Server, ledger: Ledger, workspace: Workspace) -> Here:
    return Here(new_database(postgres_server), ledger, workspace)


def test_what_is_declared_rightly_arrives_exactly(here: Here, tmp_path: Path) -> None:
    here.sql(
        CREATE.format("old"),
        FILL,
        "UPDATE old SET score = '-0', small = 'NaN' WHERE id = 1",
        "UPDATE old SET score = '-Infinity', born = '0044-03-15 BC', seen = '0044-03-15 12:00 BC' WHERE id = 2",
        "UPDATE old SET score = NULL, small = NULL, born = NULL WHERE id = 3",
        "UPDATE old SET born = '5874897-12-31', seen = '294246-01-01' WHERE id = 4",
    )
    migration = declare_copy(tmp_path, OLDS, create=CREATE.format("new"))
    differing = (
        "SELECT count(*) FROM old FULL JOIN new USING (id) WHERE (float8send(old.score), float4send(old.small), old.born,"
        " old.seen) IS DISTINCT FROM (float8send(new.score), float4send(new.small), new.born, new.seen)"
    )
    assert here.run(migration)["verdict"]["status"] == "passed"
    assert here.sql(differing) == [(0,)]
    assert here.sql("SELECT count(*) FROM new") == [(20,)]
    again = here.run(migration)
    assert again["plan"]["phases"][0]["rows"]["keep"] == 20
    here.sql("UPDATE old SET score = 0 WHERE id = 1")
    assert here.run(migration)["plan"]["phases"][0]["rows"]["change"] == 1  # -0.0 is not 0.0
    assert here.sql(differing) == [(0,)]


MISFITS = [
    ("score", Type.NUMBER, "'score' is double precision, but is declared Type.NUMBER: declare Type.FLOAT"),
    ("score", Type.TEXT, "'score' is double precision, but is declared Type.TEXT: declare Type.FLOAT"),
    ("small", Type.INTEGER, "'small' is real, but is declared Type.INTEGER: declare Type.FLOAT"),
    ("born", Type.TIMESTAMP, "'born' is date, but is declared Type.TIMESTAMP: declare Type.DATE"),
    ("seen", Type.TIMESTAMP, "'seen' is timestamp without time zone, but is .*: declare Type.DATETIME"),
    ("at", Type.DATETIME, "'at' is timestamp with time zone, but is .*: declare Type.TIMESTAMP"),
    ("price", Type.NUMBER, "'price' is money, whose text .*: give the column another type .numeric.*view that casts"),
    ("row", Type.TEXT, "'row' is oid, whose text"),
    ("mood", Type.INTEGER, "'mood' is mood, but is declared Type.INTEGER: declare Type.TEXT"),
    ("gone", Type.TEXT, "there is no column 'gone'"),
]


@pytest.mark.parametrize("side", ["source", "target"])
def test_a_column_of_another_type_is_refused_by_name(here: Here, tmp_path: Path, side: str) -> None:
    odd, plain = ("old", "new") if side == "source" else ("new", "old")
    here.sql(
        "CREATE TYPE mood AS ENUM ('sad')",
        f"CREATE TABLE {odd} (id bigint PRIMARY KEY, score float8, small float4, born date NOT NULL, seen timestamp, "
        "at timestamptz, price money, row oid, mood mood)",
        f"CREATE TABLE {plain} (id bigint PRIMARY KEY, x text)",
    )
    for column, declared, said in MISFITS:
        columns, others = {"id": Type.INTEGER, column: declared}, {"id": Type.INTEGER, "x": Type.TEXT}
        source, target = (columns, others) if side == "source" else (others, columns)
        with pytest.raises(SourceError, match=rf"table '{odd}' \({side} '{side}', connection 'c'\) .*{said}"):
            here.run(declare_copy(tmp_path, source, into=target))


def test_a_source_that_is_not_there_says_how_it_is_filled_where_the_store_is_embedded(
    here: Here, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    migration = declare_copy(tmp_path, {"id": Type.INTEGER})
    with pytest.raises(SourceError, match=r"'old' .*does not exist; check the connection's region and endpoint"):
        here.run(migration)
    monkeypatch.setenv(EMBEDDED, "a,c")
    with pytest.raises(SourceError, match=f"'old' .*starts empty: `make sample MIGRATION={migration.id}` fills it"):
        here.run(migration)
    here.sql("CREATE TABLE old (id bigint PRIMARY KEY)", "ANALYZE old")
    assert here.run(migration)["verdict"]["status"] == "passed"  # no rows are a state, too
    assert f"table 'old' (source 'source', connection 'c') seems to be empty; {_sample(migration.id)}" in caplog.text


def _sample(migration_id: str) -> str:
    return f"the connection points to the embedded store, which starts empty: `make sample MIGRATION={migration_id}`"


def role(here: Here, *grants: str) -> str:
    """The URI of the database for a new role with these grants."""
    name = f"role_{here.uri.partition('/store_')[2].partition('?')[0]}"
    here.sql(f"CREATE ROLE {name} LOGIN", *(f"GRANT {grant} TO {name}" for grant in grants))
    return here.uri.replace("postgres@", f"{name}@")


def test_a_policy_is_refused_and_not_read_as_a_row_less(here: Here, tmp_path: Path) -> None:
    here.sql(
        "CREATE TABLE old (id bigint PRIMARY KEY, mine bool)",
        "INSERT INTO old SELECT n, n < 3 FROM generate_series(1, 8) n",
        "ALTER TABLE old ENABLE ROW LEVEL SECURITY",
        "CREATE POLICY mine ON old USING (mine)",
    )
    columns = {"id": Type.INTEGER, "mine": Type.BOOLEAN}
    subject = role(
        here,
        "SELECT ON old",
        "CREATE ON SCHEMA public",
        "TEMPORARY ON DATABASE " + here.sql("SELECT current_database()")[0][0],
    )
    with pytest.raises(SourceError, match=r"'old' .*has row security, which would hide rows from role .*BYPASSRLS"):
        here.run(declare_copy(tmp_path, columns), subject)
    here.sql("CREATE VIEW seen WITH (security_invoker) AS SELECT * FROM old")
    here.sql(f"GRANT SELECT ON seen TO {subject.partition('//')[2].partition('@')[0]}")
    with pytest.raises(SourceError, match=r"'seen' .*policy for table \"old\".*BYPASSRLS"):
        here.run(declare_copy(tmp_path, columns, source="seen"), subject)
    report = here.run(declare_copy(tmp_path, columns))  # its owner sees it all
    assert report["verdict"]["status"] == "passed"
    assert here.sql("SELECT count(*) FROM new") == [(8,)]


def test_forced_row_security_is_refused_for_the_owner_and_of_targets(here: Here, tmp_path: Path) -> None:
    database = here.sql("SELECT current_database()")[0][0]
    owner = role(here, "ALL ON SCHEMA public", f"ALL ON DATABASE {database}")
    name = owner.partition("//")[2].partition("@")[0]
    here.sql(
        "CREATE TABLE old (id bigint PRIMARY KEY)",
        f"GRANT SELECT ON old TO {name}",
        "CREATE TABLE new (id bigint PRIMARY KEY)",
        f"ALTER TABLE new OWNER TO {name}",
        "ALTER TABLE new ENABLE ROW LEVEL SECURITY",
    )
    migration = declare_copy(tmp_path, {"id": Type.INTEGER})
    assert here.run(migration, owner)["verdict"]["status"] == "passed"
    here.sql("ALTER TABLE new FORCE ROW LEVEL SECURITY")
    with pytest.raises(SourceError, match=r"'new' \(target .*has row security"):
        here.run(migration, owner)


def test_rights_that_are_missing_are_named_before_anything_is_read(here: Here, tmp_path: Path) -> None:
    here.sql("CREATE TABLE old (id bigint PRIMARY KEY, secret text)")
    with pytest.raises(SourceError, match=r"'old' .*permission denied for table old.*Grant the connection's role"):
        here.run(declare_copy(tmp_path, {"id": Type.INTEGER}), role(here, "CREATE ON SCHEMA public"))


def test_a_foreign_table_is_refused_also_as_a_part(here: Here, tmp_path: Path) -> None:
    here.sql(
        "CREATE FOREIGN DATA WRAPPER nowhere",
        "CREATE SERVER far FOREIGN DATA WRAPPER nowhere",
        "CREATE TABLE old (id bigint, PRIMARY KEY (id)) PARTITION BY RANGE (id)",
        "CREATE TABLE near PARTITION OF old FOR VALUES FROM (0) TO (10)",
        "CREATE TABLE deep (id bigint NOT NULL) PARTITION BY RANGE (id)",
        "CREATE FOREIGN TABLE away (id bigint NOT NULL) SERVER far",
    )
    migration = declare_copy(tmp_path, {"id": Type.INTEGER}, source="away")
    with pytest.raises(SourceError, match=r"'away' .*foreign table .*connection to that server"):
        here.run(migration)
    here.sql("ALTER TABLE deep ATTACH PARTITION away FOR VALUES FROM (10) TO (20)")
    with pytest.raises(SourceError, match=r"'deep' .*foreign table or has one among its parts"):
        here.run(declare_copy(tmp_path, {"id": Type.INTEGER}, source="deep"))


def test_a_table_without_a_key_gets_an_answer_that_helps(here: Here, tmp_path: Path) -> None:
    here.sql(
        "CREATE TABLE old (id bigint, other bigint NOT NULL, maybe bigint UNIQUE)",
        "INSERT INTO old SELECT n, n, n FROM generate_series(1, 9) n",
    )
    columns = {"id": Type.INTEGER, "other": Type.INTEGER, "maybe": Type.INTEGER}
    for key in ("id", "other", "maybe"):  # an index over what may be null tells no rows apart
        with pytest.raises(
            SourceError, match=rf"'old' .*no primary key, and no unique index keeps '{key}' apart.*Declare"
        ):
            here.run(declare_copy(tmp_path, columns, key=(key,)))
    here.sql("CREATE UNIQUE INDEX ON old (other) WHERE id > 3")
    with pytest.raises(SourceError, match="no unique index keeps 'other' apart"):
        here.run(declare_copy(tmp_path, columns, key=("other",)))
    here.sql("CREATE UNIQUE INDEX ON old (other)")
    assert here.run(declare_copy(tmp_path, columns, key=("other",)))["verdict"]["status"] == "passed"
    assert here.sql("SELECT count(*) FROM old JOIN new USING (id, other, maybe)") == [(9,)]
    here.sql("ALTER TABLE new RENAME TO keyed")
    with pytest.raises(SourceError, match=r"'keyed' .*has the key 'other', but 'id' is declared"):
        here.run(declare_copy(tmp_path, columns, source="keyed", target="third"))


@pytest.mark.parametrize("kind", ["VIEW", "MATERIALIZED VIEW", "children"])
def test_what_has_no_key_of_its_own_is_read_whole_or_refused_by_name(here: Here, tmp_path: Path, kind: str) -> None:
    if kind == "children":
        here.sql("CREATE TABLE old (id bigint PRIMARY KEY, n text)", "CREATE TABLE child () INHERITS (old)")
        here.sql("INSERT INTO old VALUES (1, 'a')", "INSERT INTO child SELECT n, 'c' FROM generate_series(2, 9) n")
        again = "INSERT INTO child VALUES (1, 'b')"
    else:
        here.sql("CREATE TABLE base (id bigint, n text)", "INSERT INTO base SELECT n, n FROM generate_series(1, 9) n")
        here.sql(f"CREATE {kind} old AS SELECT * FROM base")
        again = "INSERT INTO base VALUES (NULL, 'b')"
    migration = declare_copy(tmp_path, {"id": Type.INTEGER, "n": Type.TEXT})
    assert here.run(migration, segments=3)["verdict"]["status"] == "passed"
    assert here.sql("SELECT count(*) FROM old JOIN new USING (id, n)") == [(9,)]
    here.sql(again, *(["REFRESH MATERIALIZED VIEW old"] if kind.startswith("MAT") else []))
    several = "old has 1 keys (id) that several rows have, such as (1): declare"
    null = "old has 1 rows whose key (id) is null, such as (null): declare"
    with pytest.raises(SourceError, match=re.escape(several if kind == "children" else null)):
        here.run(migration, segments=3)


def test_a_materialized_view_that_is_not_filled_is_refused(here: Here, tmp_path: Path) -> None:
    here.sql("CREATE MATERIALIZED VIEW old AS SELECT 1::bigint AS id WITH NO DATA")
    with pytest.raises(SourceError, match=r"'old' .*has not been populated"):
        here.run(declare_copy(tmp_path, {"id": Type.INTEGER}))


def test_names_with_dots_quotes_and_capitals_are_names(here: Here, tmp_path: Path) -> None:
    here.sql(
        'CREATE SCHEMA "Sales.EU"',
        'CREATE TABLE "Sales.EU"."order.items" (id bigint PRIMARY KEY, n text)',
        'CREATE TABLE "Old" (id bigint PRIMARY KEY, n text)',
        """INSERT INTO "Sales.EU"."order.items" VALUES (1, 'x')""",
        "INSERT INTO \"Old\" VALUES (2, 'y')",
    )
    columns = {"id": Type.INTEGER, "n": Type.TEXT}
    migration = declare_copy(tmp_path, columns, source='"Sales.EU"."order.items"', target='"it""s.new"')
    assert here.run(migration)["verdict"]["status"] == "passed"
    assert here.sql('SELECT * FROM "it""s.new"') == [(1, "x")]
    assert here.run(declare_copy(tmp_path, columns, source="Old", target="New"))["verdict"]["status"] == "passed"
    assert here.sql('SELECT * FROM "New"') == [(2, "y")]


def test_a_partitioned_table_is_read_whole(here: Here, tmp_path: Path) -> None:
    here.sql(
        "CREATE TABLE old (id bigint, n text, PRIMARY KEY (id)) PARTITION BY RANGE (id)",
        "CREATE TABLE old_1 PARTITION OF old FOR VALUES FROM (0) TO (10)",
        "CREATE TABLE old_2 PARTITION OF old DEFAULT",
        "INSERT INTO old SELECT n, n FROM generate_series(1, 50) n",
    )
    assert (
        here.run(declare_copy(tmp_path, {"id": Type.INTEGER, "n": Type.TEXT}), segments=3)["verdict"]["status"]
        == "passed"
    )
    assert here.sql("SELECT count(*) FROM old JOIN new USING (id, n)") == [(50,)]


def test_a_role_that_may_write_nothing_but_reads_all_can_plan(here: Here, tmp_path: Path) -> None:
    here.sql("CREATE TABLE old (id bigint PRIMARY KEY)", "INSERT INTO old VALUES (1)")
    reader = role(here, "SELECT ON old")
    assert here.run(declare_copy(tmp_path, {"id": Type.INTEGER}), reader, mode="plan")["verdict"]["status"] == "passed"


def test_settings_of_the_database_neither_end_nor_change_a_run(here: Here, tmp_path: Path) -> None:
    (name,) = here.sql("SELECT current_database()")[0]
    settings = {
        "transaction_timeout": "'120ms'",
        "statement_timeout": "'100ms'",
        "idle_in_transaction_session_timeout": "'100ms'",
        "default_transaction_isolation": "'serializable'",
        "search_path": "''",
        "DateStyle": "'German, DMY'",
        "TimeZone": "'Asia/Kolkata'",
        "client_encoding": "'LATIN1'",
        "quote_all_identifiers": "on",
    }
    here.sql(
        "CREATE TABLE old (id bigint PRIMARY KEY, at timestamptz, day date, t text)",
        "INSERT INTO old SELECT n, now(), now(), 'é€' FROM generate_series(1, 20) n",
        *(f"ALTER DATABASE {name} SET {setting} = {value}" for setting, value in settings.items()),
    )
    columns = {"id": Type.INTEGER, "at": Type.TIMESTAMP, "day": Type.TEXT, "t": Type.TEXT}
    create = "CREATE TABLE new (id bigint PRIMARY KEY, at timestamptz, day date, t text)"
    assert here.run(declare_copy(tmp_path, columns, create=create), segments=2)["verdict"]["status"] == "passed"
    here.sql(f"ALTER DATABASE {name} RESET ALL")
    assert here.sql("SELECT count(*) FROM old JOIN new USING (id, at, day, t)") == [(20,)]


def test_a_count_far_from_the_catalogues_is_a_warning(here: Here, tmp_path: Path) -> None:
    here.sql(
        "CREATE TABLE old (id bigint PRIMARY KEY) WITH (autovacuum_enabled = off)",
        "INSERT INTO old SELECT generate_series(1, 20)",
        "ANALYZE old",
    )
    migration = declare_copy(tmp_path, {"id": Type.INTEGER})
    assert here.run(migration)["findings"] == []
    here.sql("UPDATE pg_class SET reltuples = 10025 WHERE oid = 'old'::regclass")  # as if rows had gone since
    report = here.run(migration, partitions=3)
    (finding,) = report["findings"]
    assert (finding["severity"], finding["code"], finding["count"]) == ("warning", "count_far_from_estimate", 1)
    assert finding["examples"][0]["message"].startswith("20 rows of old were read, but its database estimates 10,025")
    assert report["verdict"]["status"] == "passed"
    here.sql("UPDATE pg_class SET reltuples = -1 WHERE oid = 'old'::regclass")
    assert here.run(migration)["findings"] == []


def test_a_standby_is_refused(here: Here, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here.sql("CREATE TABLE old (id bigint PRIMARY KEY)")
    monkeypatch.setattr(catalog, "QUERY", catalog.QUERY.replace("pg_is_in_recovery()", "true"))
    with pytest.raises(SourceError, match=r"'old' \(source .*the server is a standby.*the primary's address"):
        here.run(declare_copy(tmp_path, {"id": Type.INTEGER}))


def test_a_window_may_be_over_dates_and_times_of_no_zone(here: Here, tmp_path: Path) -> None:
    here.sql(
        "CREATE TABLE old (id bigint PRIMARY KEY, d date, t timestamp)",
        "INSERT INTO old SELECT n, date '2024-01-01' + n, timestamp '2024-01-01 23:59' + n * interval '1 day'"
        " FROM generate_series(0, 9) n",
    )
    migration = declare_copy(tmp_path, {"id": Type.INTEGER, "d": Type.DATE, "t": Type.DATETIME})
    for column, days in (("d", ("2024-01-02", "2024-01-04")), ("t", ("2024-01-05", "2024-01-07"))):
        source = replace(migration.sources[0], window=column)
        windowed = replace(migration, sources=(source,))
        assert here.run(windowed, window=Window.parse(*days))["verdict"]["status"] == "passed"
    assert here.sql("SELECT id FROM new ORDER BY id") == [(1,), (2,), (4,), (5,)]
