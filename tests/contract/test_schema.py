"""Schema changes on real databases: what the lint refuses, what the rehearsal catches, what apply survives."""

from __future__ import annotations

import itertools
import re
import threading
from contextlib import ExitStack, nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from include.embedded import postgres
from include.trueup.declare.migration import Table, Type
from include.trueup.errors import (
    DeclarationError,
    GateError,
    SourceError,
    StatusError,
    StoreRejectedError,
    StoreUnavailableError,
    TargetHeldError,
)
from include.trueup.ledger import Ledger
from include.trueup.run import REAL, Mode
from include.trueup.run.workspace import Workspace
from include.trueup.schema import clone, describe, gates
from include.trueup.schema.history import History
from include.trueup.schema.lint import lint
from include.trueup.schema.preflight import preflight
from include.trueup.schema.rehearse import rehearse
from include.trueup.schema.run import SchemaRun
from include.trueup.stores import Fence
from include.trueup.stores.parameters import conninfo
from include.trueup.stores.postgres import PostgresStore
from include.trueup.walk import walk
from tests.harness import new_database, run_sql
from tests.schemas import Databases, answered, do, history, migration_of, ready, revision

BASE = revision(
    "CREATE TABLE thing (id int PRIMARY KEY, name text); INSERT INTO thing VALUES (1, 'a'), (2, 'b')",
    "DROP TABLE thing",
)


@pytest.fixture
def uri(postgres_server: postgres.Server) -> str:
    return new_database(postgres_server)


def found(folder: Path, *bodies: str, uri: str = "") -> Any:
    """The lint's findings on the last of the revisions, by rule."""
    read = History(history(folder, *bodies))
    (linted,) = lint(read, (f"r{len(bodies) - 2}",), read.steps((f"r{len(bodies) - 2}",), len(bodies)))
    return {f.rule: f for f in linted.findings}


@pytest.mark.parametrize(
    ("sql", "rule", "level"),
    [
        ("ALTER TABLE thing RENAME COLUMN name TO title", "renaming-column", "breaking"),
        ("ALTER TABLE thing RENAME TO things", "renaming-table", "breaking"),
        ("ALTER TABLE thing DROP COLUMN name", "ban-drop-column", "breaking"),
        ("DROP TABLE thing", "ban-drop-table", "breaking"),
        ("ALTER TABLE thing ALTER COLUMN id TYPE bigint", "changing-column-type", "breaking"),
        ("CREATE INDEX thing_name ON thing (name)", "require-concurrent-index-creation", "locks"),
        ("ALTER TABLE thing ADD CONSTRAINT named CHECK (name <> '')", "constraint-missing-not-valid", "locks"),
        ("ALTER TABEL thing", "syntax-error", "not linted"),
    ],
)
def test_what_the_lint_refuses(tmp_path: Path, sql: str, rule: str, level: str) -> None:
    finding = found(tmp_path, BASE, revision(sql))[rule]
    assert (str(finding.level), finding.refused) == (level, True)
    excused = found(tmp_path / "excused", BASE, revision(sql, more='breaking = "asked for"\nlocks = "it is small"'))[
        rule
    ]
    assert excused.refused is (level == "not linted")


def test_what_adds_is_not_refused(tmp_path: Path) -> None:
    more = "CREATE TABLE other (id uuid PRIMARY KEY, thing int REFERENCES thing); CREATE INDEX other_thing ON other (thing)"
    assert not [f for f in found(tmp_path, BASE, revision(more)).values() if f.refused]


def test_sql_that_cannot_be_rendered_counts_as_not_linted(tmp_path: Path) -> None:
    asks = "def upgrade():\n    op.execute(op.get_bind().exec_driver_sql('SELECT 1').scalar_one())\ndef downgrade():\n    pass\n"
    assert found(tmp_path, BASE, asks)["not-rendered"].refused


def test_a_refused_run_changes_nothing_and_says_how_to_go_on(
    tmp_path: Path, postgres_server: postgres.Server, ledger: Ledger, workspace: Workspace
) -> None:
    app = history(tmp_path, BASE, revision("ALTER TABLE thing DROP COLUMN name"))
    databases = Databases(postgres_server, migration_of(app, phases=2), ledger, workspace)
    walk(databases.run(0))
    with pytest.raises(GateError, match=r'ban-drop-column.*say why in the revision: breaking = "…"'):
        walk(databases.run(1))
    assert run_sql(databases.uri("app"), "SELECT name FROM thing ORDER BY id") == [("a",), ("b",)]


def problems(folder: Path, uri: str, *bodies: str) -> list[str]:
    """What the rehearsal of the last revision finds, the others having run."""
    read = History(history(folder, *bodies))
    with describe.connected(uri, "begin") as connection:
        for step in read.steps((), len(bodies) - 2):
            read.run(connection, step)
    before = run_sql(uri, "SELECT * FROM thing ORDER BY id")
    steps = read.steps((f"r{len(bodies) - 2}",), len(bodies))
    result = rehearse(read, uri, steps, "rehearsal_clone", 5)
    assert run_sql(uri, "SELECT * FROM thing ORDER BY id") == before
    assert run_sql(uri, "SELECT count(*)::int FROM pg_database WHERE datname = 'rehearsal_clone'") == [(0,)]
    assert result.cloned_by == "template"
    return list(result.problems)


def test_a_sound_revision_passes_its_rehearsal(tmp_path: Path, uri: str) -> None:
    more = (
        "CREATE TABLE other (id int PRIMARY KEY, thing int NOT NULL REFERENCES thing); ALTER TABLE thing ADD note text"
    )
    assert problems(tmp_path, uri, BASE, revision(more, "ALTER TABLE thing DROP note; DROP TABLE other")) == []


@pytest.mark.parametrize(
    ("up", "down", "said"),
    [
        ("ALTER TABLE thing ADD note text", "", r"does not restore the schema.*\+column thing.note: text"),
        ("CREATE TABLE other (id int)", "DROP TABLE other; DROP TABLE thing", "table thing and its 6 rows are gone"),
        (
            "ALTER TABLE thing ADD note text",
            "ALTER TABLE thing DROP note; DELETE FROM thing WHERE id > 1",
            "thing holds 1 rows, and held 6",
        ),
        (
            "ALTER TABLE thing ADD note text",
            "ALTER TABLE thing DROP note; UPDATE thing SET name = upper(name)",
            "other values in name",
        ),
        ("UPDATE thing SET name = 'lost'", "", "up .*other values in name"),
        (
            "ALTER TABLE thing ADD note text",
            "ALTER TABLE thing DROP nota",
            'down .*column "nota" of relation "thing" does not exist',
        ),
        (
            "ALTER TABLE thing ADD UNIQUE (name)",
            "ALTER TABLE thing DROP CONSTRAINT thing_nam",
            "constraint .* does not exist",
        ),
        ("CREATE INDEX i ON thing (name)", "DROP INDEX i; CREATE INDEX j ON thing (name)", r"\+index thing.j"),
    ],
)
def test_what_the_rehearsal_catches(tmp_path: Path, uri: str, up: str, down: str, said: str) -> None:
    found = problems(tmp_path, uri, BASE, revision(up, down))
    assert found
    assert re.search(said, " | ".join(found)), found


def test_a_database_in_use_is_said_or_copied_by_pg_dump(
    tmp_path: Path, uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_sql(uri, "CREATE TABLE thing (id int)", "INSERT INTO thing VALUES (1)")
    with describe.connected(uri, "use it"):
        for name, version in (("pg_dump", "13.9 (Debian 13.9-0+deb11u1)"), ("pg_restore", "13.9")):
            (tmp_path / name).write_text(f"#!/bin/sh\necho '{name} (PostgreSQL) {version}'\n")
            (tmp_path / name).chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path))
        monkeypatch.setattr(clone, "_INSTALLED", str(tmp_path / "none"))
        clock = itertools.count(0.0, clone.LINGERING_SECONDS)
        no_time = replace(REAL, sleep=lambda _: None, monotonic=clock.__next__)
        with pytest.raises(
            StoreUnavailableError, match=r"1 other sessions.*PostgreSQL 18 or later; there is 13 in .*PG_BIN"
        ):
            with clone.clone_of(uri, "copied", no_time):
                pass
        monkeypatch.setattr(clone, "_INSTALLED", str(postgres._BIN))
        with clone.clone_of(uri, "copied", no_time) as (copy, how):
            assert how == "pg_dump"
            assert run_sql(conninfo(copy()), "SELECT id FROM thing") == [(1,)]
    assert run_sql(uri, "SELECT count(*)::int FROM pg_database WHERE datname = 'copied'") == [(0,)]


def test_a_session_that_is_going_is_waited_for(uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clone, "_programs", None)  # none is looked for
    with ExitStack() as held:
        held.enter_context(describe.connected(uri, "use it"))
        with clone.clone_of(uri, "copied", replace(REAL, sleep=lambda _: held.close())) as (_, how):
            assert how == "template"


@pytest.mark.slow  # PostgreSQL itself waits five seconds for the session to go
def test_a_session_that_comes_while_the_files_are_copied_is_no_end(uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clone, "_SESSIONS", sa.text("SELECT '', 0 WHERE :name = ''"))  # it is not seen
    monkeypatch.setenv(clone.PG_BIN, str(postgres._BIN))
    with describe.connected(uri, "use it"), clone.clone_of(uri, "copied") as (_, how):
        assert how == "pg_dump"


def test_labels_that_contradict_the_order_are_refused(tmp_path: Path) -> None:
    wrong = History(history(tmp_path, "phase = 2\n" + BASE, "phase = 1\n" + revision("SELECT 1")))
    with pytest.raises(DeclarationError, match="revision r0 is of phase 2, but a revision after it is of phase 1"):
        _ = wrong.phases


def test_a_revision_without_a_label_belongs_to_the_next_one_that_has_one(tmp_path: Path) -> None:
    plain = [revision(f"CREATE TABLE t{n} (id int)", f"DROP TABLE t{n}") for n in range(4)]
    read = History(history(tmp_path, *plain, phases={"r0": 0, "r2": 1}))
    assert read.phases == {"r0": 0, "r1": 1, "r2": 1}
    assert [s.revision for s in read.steps(("r0",), 1)] == ["r1", "r2"]
    assert [s.revision for s in read.steps(("r2",), 0)] == ["r2", "r1"]
    with pytest.raises(SourceError, match=r"stands between phases: it lacks \['r2'\]"):
        read.standing(("r1",))
    with pytest.raises(SourceError, match=r"it has \['r3'\], which belong to no phase"):
        read.standing(("r3",))


def test_branches_of_a_phase_all_run_and_all_go(tmp_path: Path, uri: str) -> None:
    folder = history(tmp_path, revision("CREATE TABLE t (id int)", "DROP TABLE t"))
    for name in ("left", "right"):
        body = f'"""{name}."""\nfrom alembic import op\nrevision = "{name}"\ndown_revision = "r0"\nphase = 1\n'
        (tmp_path / "app" / "versions" / f"{name}.py").write_text(
            body + revision(f"CREATE TABLE {name}_t (id int)", f"DROP TABLE {name}_t")
        )
    read = History(folder)
    with describe.connected(uri, "run") as connection:
        for step in read.steps((), 1):
            read.run(connection, step)
        assert read.heads(connection) == ("left", "right")
        assert read.standing(read.heads(connection)).start == 1
        for step in read.steps(read.heads(connection), 0):
            read.run(connection, step)
        assert read.heads(connection) == ("r0",)
    assert run_sql(
        uri, "SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'alembic_version'"
    ) == [("t",)]


@pytest.fixture
def two(tmp_path: Path, postgres_server: postgres.Server, ledger: Ledger, workspace: Workspace) -> Databases:
    """Two databases at phase 0, with a phase 1 for each."""
    more = revision(
        "ALTER TABLE thing ADD note text; CREATE TABLE other (id int)", "ALTER TABLE thing DROP note; DROP TABLE other"
    )
    histories = [history(tmp_path, BASE, more, id=id) for id in ("one", "two")]
    made = Databases(postgres_server, migration_of(*histories, phases=2, lock_timeout=0.3), ledger, workspace)
    walk(made.run(0))
    return made


def test_a_lock_that_is_kept_stops_between_the_databases_and_the_same_run_goes_on(two: Databases) -> None:
    run = two.run(1)
    ready(run)
    with describe.connected(two.uri("two"), "keep a lock") as keeper:
        keeper.exec_driver_sql("LOCK TABLE thing IN SHARE MODE")
        with pytest.raises(StoreUnavailableError, match=r"holds a lock.*one is at phase 1 .*two is at phase 0"):
            do(run, "apply")
    with pytest.raises(SourceError, match=r"one is at phase 1 .*two is at phase 0"):
        preflight(two.run(1, mode=Mode.PLAN))
    assert do(run, "apply") == {"one": 0, "two": 1}
    assert {g["passed"] for g in run.folder.read_json("gates/phase-1.json")} == {True}


def test_rows_written_since_the_backup_stop_what_would_drop_them(
    two: Databases, monkeypatch: pytest.MonkeyPatch
) -> None:
    answered(two.run(1))
    run = two.run(0, approval=True)
    ready(run)
    own, done = gates.look, threading.Event()

    def meddle(run: Any) -> Any:
        if not done.is_set():  # after the plan was compared, before the revision's transaction
            done.set()
            run_sql(two.uri("one"), "INSERT INTO other VALUES (1)")
        return own(run)

    with monkeypatch.context() as patched:
        patched.setattr(gates, "look", meddle)
        with pytest.raises(StoreRejectedError, match="written since the backup: table other holds 1 rows, and held 0"):
            do(run, "apply")
    assert run_sql(two.uri("one"), "SELECT count(*)::int FROM other") == [(1,)]
    # what was begun is not planned, nor backed up, again
    for again in (preflight, partial(do, step="lint"), partial(do, step="backup")):
        with pytest.raises(StatusError, match="has begun to change the databases"):
            again(run)


def test_a_gate_sees_what_a_phase_must_not_have_changed(two: Databases, monkeypatch: pytest.MonkeyPatch) -> None:
    run = two.run(1)
    ready(run)
    done = threading.Event()
    own = History.run

    def meddle(self: History, *given: Any) -> None:
        own(self, *given)
        if not done.is_set():
            done.set()
            run_sql(two.uri("two"), "ALTER TABLE thing DROP COLUMN name")

    monkeypatch.setattr(History, "run", meddle)
    with pytest.raises(GateError, match=r"schema.kept"):
        do(run, "apply")


def apply_by(run: SchemaRun, monkeypatch: pytest.MonkeyPatch, **asked: Any) -> None:
    """Apply by a fence that is asked so."""
    given = {"check": lambda: None, "confirm": lambda _: None, **asked}
    fence = Fence(**given, epochs={"here": 1}, part="apply", tries=1, lasts=60)
    monkeypatch.setattr("include.trueup.schema.run.holding", lambda *_, **__: nullcontext(fence))
    do(run, "apply")


@pytest.mark.parametrize("asked", ["check", "confirm"])
def test_a_revision_in_which_the_right_to_write_is_lost_leaves_nothing(
    two: Databases, monkeypatch: pytest.MonkeyPatch, asked: str
) -> None:
    """When it has run, before its commit; or before it runs, when the locks are there by which it would be found."""
    run, times = two.run(1), list[int]()
    ready(run)

    def lost(*_: Any) -> None:
        times.append(1)
        if len(times) == 2:
            raise TargetHeldError("another run has taken it")

    with pytest.raises(TargetHeldError, match=r"has taken it.*one is at phase 0 .*two is at phase 0"):
        apply_by(run, monkeypatch, **{asked: lost})
    assert run_sql(two.uri("one"), "SELECT to_regclass('other')::text") == [(None,)]


def test_a_revision_is_ended_by_whoever_has_the_right_since(two: Databases, monkeypatch: pytest.MonkeyPatch) -> None:
    run, times = two.run(1), list[int]()
    ready(run)
    newer = Fence(check=lambda: None, confirm=lambda _: None, epochs={"here": 2}, part="", tries=0, lasts=60)

    def takes() -> None:
        times.append(1)
        if len(times) == 2:  # when it has run, before its commit
            run.end_older(newer)

    with pytest.raises(StoreUnavailableError, match=r"one is at phase 0 .*two is at phase 0"):
        apply_by(run, monkeypatch, check=takes)
    assert run_sql(two.uri("one"), "SELECT to_regclass('other')::text") == [(None,)]


def test_a_revision_that_is_stopped_in_its_transaction_is_ended_by_the_server(uri: str) -> None:
    run_sql(uri, "CREATE TABLE thing (id int)")

    def stopped() -> None:
        with describe.connected(uri, "run r1", idle=0.1) as connection:
            connection.exec_driver_sql("ALTER TABLE thing ADD note text")
            run_sql(uri, "INSERT INTO thing VALUES (1)")  # an application, which has to wait until then
            connection.exec_driver_sql("SELECT 1")

    with pytest.raises(StoreUnavailableError, match=r"could not run r1: .*was paused during the transaction"):
        stopped()
    assert run_sql(uri, "SELECT * FROM thing") == [(1,)]


def test_rows_that_a_policy_hides_are_an_error_and_not_rows_less(uri: str) -> None:
    """Of an owner, too, where it is forced: a backup would be without them, and nobody would know."""
    run_sql(
        uri,
        "DROP ROLE IF EXISTS hidden_from",
        "CREATE ROLE hidden_from",
        "CREATE TABLE thing (id int PRIMARY KEY)",
        "INSERT INTO thing VALUES (1), (2)",
        "ALTER TABLE thing OWNER TO hidden_from",
        "ALTER TABLE thing ENABLE ROW LEVEL SECURITY",
        "ALTER TABLE thing FORCE ROW LEVEL SECURITY",
        "CREATE POLICY one ON thing USING (id = 1)",
    )

    def look(asked: Any) -> None:
        with describe.connected(uri, "look at it") as connection:
            connection.exec_driver_sql("SET ROLE hidden_from")
            asked(connection, described=describe.schema(connection, "alembic_version"))

    for asked in (describe.rows, partial(describe.held, kind="table", name="thing")):
        with pytest.raises(StoreRejectedError, match=r"row-level security.*BYPASSRLS.*no backup has"):
            look(asked)
    with describe.connected(uri, "look at it") as connection:
        assert describe.rows(connection, describe.schema(connection, "alembic_version"))["thing"].count == 2
        assert connection.exec_driver_sql("SHOW row_security").scalar_one() == "on"


def test_a_database_has_one_name_in_all_leases_whatever_its_address(two: Databases) -> None:
    declared = Table(name="thing", connection="c", key=("id",), columns={"id": Type.INTEGER})
    places = [f"{PostgresStore(two.uri(id)).identity(declared).rpartition('/')[0]}#schema" for id in ("one", "two")]
    assert two.run(0).held_targets == places
