"""Platform schema: both databases through all phases, up and down, on real PostgreSQL."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path
from typing import Any

import pytest

from include.embedded import postgres
from include.migrations.platform_schema import sample
from include.migrations.platform_schema.migration import migration
from include.trueup.errors import (
    ApprovalError,
    ArtifactError,
    GateError,
    OptionsError,
    SourceError,
    StoreRejectedError,
    TargetHeldError,
)
from include.trueup.ledger import Ledger
from include.trueup.run import Mode, SchemaOptions
from include.trueup.run.workspace import Workspace
from include.trueup.schema import describe
from include.trueup.schema.restore import restore
from include.trueup.schema.run import SchemaRun
from include.trueup.walk import walk
from tests.harness import run_sql
from tests.samples import Samples
from tests.schemas import Databases, answered

CONTRACT = {
    0: ({"users"}, {"projects", "specifications"}),
    1: (set(), {"user_rules"}),
    2: (set(), {"test_results"}),
    3: ({"api_keys"}, {"llm_usage_tracking"}),
    4: (set(), {"generated_projects", "generated_files"}),
    5: (set(), {"user_behavior_patterns", "question_effectiveness", "knowledge_base_documents"}),
    6: ({"teams", "team_members", "team_invitations"}, {"project_shares"}),
}
TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'alembic_version'"
EMBEDDING = (
    "SELECT format_type(atttypid, atttypmod) FROM pg_attribute "
    "WHERE attrelid = to_regclass('knowledge_base_documents') AND attname = 'embedding'"
)
EXTENSION = "SELECT count(*)::int FROM pg_extension WHERE extname = 'vector'"


@pytest.fixture
def databases(postgres_server: postgres.Server, ledger: Ledger, workspace: Workspace, samples: Samples) -> Databases:
    """Both databases at phase 0, with the sample."""
    uris = samples.databases(sample, migration.connections)
    return Databases(postgres_server, migration, ledger, workspace, uris)


def tables(databases: Databases) -> tuple[set[str], set[str]]:
    auth, specs = ({name for (name,) in run_sql(databases.uri(d), TABLES)} for d in ("auth", "specs"))
    return auth, specs


def as_contracted(phase: int) -> tuple[set[str], set[str]]:
    auth, specs = (set().union(*(CONTRACT[n][side] for n in range(phase + 1))) for side in (0, 1))
    return auth, specs


def text(databases: Databases) -> list[str]:
    found = []
    for database in ("auth", "specs"):
        with describe.connected(databases.uri(database), "look") as connection:
            found.append(describe.text(describe.schema(connection, "alembic_version")))
    return found


def rows(databases: Databases) -> list[object]:
    queries = {"auth": ["users"], "specs": ["projects", "specifications"]}
    return [run_sql(databases.uri(d), f"SELECT * FROM {t} ORDER BY id") for d, names in queries.items() for t in names]


def report(run: SchemaRun) -> dict[str, object]:
    return dict(run.folder.read_json("report.json"))


def clones(databases: Databases) -> list[tuple[str]]:
    return run_sql(databases.uri("auth"), "SELECT datname FROM pg_database WHERE datname LIKE 'trueup~_%' ESCAPE '~'")


def test_up_and_down_through_every_phase(databases: Databases) -> None:
    before, schemas = rows(databases), {}
    assert tables(databases) == as_contracted(0)
    for phase in range(1, 7):
        assert walk(databases.run(phase)).headline.startswith("Proven")
        assert tables(databases) == as_contracted(phase)
        schemas[phase] = text(databases)
    assert run_sql(databases.uri("specs"), EMBEDDING) == [("vector(384)",)]
    for phase in range(5, -1, -1):
        assert answered(databases.run(phase)).status == "passed"
        assert tables(databases) == as_contracted(phase)
        assert phase == 0 or text(databases) == schemas[phase]
    assert run_sql(databases.uri("specs"), EXTENSION) == [(0,)]
    assert rows(databases) == before
    assert clones(databases) == []


def test_all_phases_at_once_and_a_second_run_that_finds_nothing(databases: Databases) -> None:
    first = databases.run(6)
    assert walk(first, triggered_by="ada").status == "passed"
    assert tables(databases) == as_contracted(6)
    found = report(first)
    assert found["schema"]["from_phase"] == 0  # type: ignore[index]
    assert {g["gate"] for g in found["gates"]} >= {"what up to phase 3 changed", "every database at phase 6"}  # type: ignore[attr-defined]
    page = Path(first.folder.location("report.html")).read_text()
    assert "Rehearsals on clones" in page
    assert "Teams, their members, and invitations to them" in page
    assert "Every source row" not in page

    schema = text(databases)
    second = databases.run(6)
    verdict = walk(second)
    assert verdict.headline == "Nothing to do: every database is at phase 6."
    assert report(second)["schema"]["steps"] == []  # type: ignore[index]
    assert text(databases) == schema


def test_mode_plan_changes_nothing(databases: Databases) -> None:
    schema, held = text(databases), rows(databases)
    run = databases.run(6, mode=Mode.PLAN)
    assert "Planned, nothing changed: 10 revisions" in walk(run).headline
    assert (text(databases), rows(databases)) == (schema, held)
    said = dict(run.folder.read_json("report.json"))
    assert said["run"]["status"] == "planned"
    names = [databases.uri(database).split("?")[0].rpartition("/")[2] for database in ("auth", "specs")]
    assert said["environment"] == said["where"]["environment"] == "local"
    assert [(at["kind"], at["database"]) for at in said["stores"]] == [("postgres", name) for name in names]
    assert clones(databases) == []


def test_going_down_without_approval_names_what_would_go(databases: Databases) -> None:
    walk(databases.run(6))
    user = run_sql(databases.uri("auth"), "SELECT id FROM users LIMIT 1")[0][0]
    run_sql(
        databases.uri("auth"),
        f"INSERT INTO teams (name, owner_id) SELECT 'team ' || n, '{user}' FROM generate_series(1, 7) n",
    )
    schema = text(databases)
    refused = databases.run(5)
    with pytest.raises(
        ApprovalError, match=r"auth: table teams \(7 rows\).*specs: table project_shares \(0 rows\).*[0-9a-f]{64}"
    ):
        walk(refused)
    assert text(databases) == schema

    shown = report(refused)["schema"]
    named = shown["sha256"]  # type: ignore[index]
    teams = next(s for s in shown["steps"] if s["revision"] == "auth_0006")  # type: ignore[index]
    assert teams["goes"] == {"table team_invitations": 0, "table team_members": 0, "table teams": 7}
    assert "DROP TABLE teams" in teams["sql"]
    assert teams["seconds"] >= 0
    assert "AccessExclusiveLock" in set(teams["locked"].values())
    page = Path(refused.folder.location("report.html")).read_text()
    assert "DROP TABLE teams" in page
    assert re.search(r"Goes:.*teams.*\(7 rows\)", page)
    assert re.search(
        r"auth down: .*rehearsed in .* s, locks .*teams", Path(refused.folder.location("report.md")).read_text()
    )
    run = databases.run(5, approve_down=named)
    assert walk(run).status == "passed"
    assert report(run)["approval"]["decision"] == "approved"  # type: ignore[index]
    assert tables(databases) == as_contracted(5)
    saved = gzip.decompress(Path(run.folder.location("backup/auth/teams.copy.gz")).read_bytes()).decode()
    columns = json.loads(Path(run.folder.location("backup/auth/teams.columns.json")).read_text())
    place = columns.index("name")
    assert sorted(line.split("\t")[place] for line in saved.splitlines()) == [f"team {n}" for n in range(1, 8)]
    assert "backup/auth/teams.copy.gz" in {a["path"] for a in report(run)["artifacts"]}  # type: ignore[attr-defined]
    restored(databases, run)


def restored(databases: Databases, run: SchemaRun) -> None:
    """The backup of a run that went down from phase 6 is put back: refused by name and number where it may not be."""
    uri, own = databases.uri("auth"), run.workspace.run("restore-1")
    with pytest.raises(
        StoreRejectedError, match="has no table team_invitations, team_members, teams; bring it to the phase"
    ):
        restore(own, run.folder, "auth", uri)
    walk(databases.run(6))
    user = run_sql(uri, "SELECT id FROM users LIMIT 1")[0][0]
    run_sql(uri, f"INSERT INTO teams (name, owner_id) VALUES ('new', '{user}')")
    with pytest.raises(StoreRejectedError, match=r"tables of the database hold rows: teams \(1 rows\)"):
        restore(run.workspace.run("restore-2"), run.folder, "auth", uri)
    assert run_sql(uri, "SELECT name FROM teams") == [("new",)]
    with pytest.raises(OptionsError, match="has no table users"):
        restore(own, run.folder, "auth", uri, tables=["users"])
    with pytest.raises(ArtifactError, match=r"has no backup of 'other' \(of: auth, specs\)"):
        restore(own, run.folder, "other", uri)
    run_sql(uri, "DELETE FROM teams")

    held = databases.run(6)
    begun = {"migration_id": migration.id, "dag_id": migration.id, "airflow_run_id": None, "triggered_by": None}
    held.ledger.begin(held.id, **begun, options={}, undoes=None)  # type: ignore[arg-type]
    held.ledger.leases.take(held.id, held.held_targets, None)
    with pytest.raises(TargetHeldError, match=f"run {held.id} works on"):
        restore(own, run.folder, "auth", uri, ledger=held.ledger)
    held.ledger.leases.give_up(held.id, "the test is over")

    found = restore(own, run.folder, "auth", uri, ledger=held.ledger)
    assert [(t.table, t.rows) for t in found.tables] == [("team_invitations", 0), ("team_members", 0), ("teams", 7)]
    assert sorted(run_sql(uri, "SELECT name FROM teams")) == [(f"team {n}",) for n in range(1, 8)]
    published = own.read_json("restored.json")
    teams = run.backed_up("auth").held["teams"]
    assert published["tables"][2]["checksums"] == dict(teams.checksums)
    assert len(published["tables"][2]["sha256"]) == 64
    assert restore(own, run.folder, "auth", uri) == found  # the same restore, tried again
    with pytest.raises(StoreRejectedError, match=r"hold rows: teams \(7 rows\)"):
        restore(run.workspace.run("restore-3"), run.folder, "auth", uri)

    run_sql(uri, "DELETE FROM teams")
    Path(run.folder.location("backup/auth/teams.copy.gz")).write_bytes(gzip.compress(b""))
    with pytest.raises(ArtifactError, match="is not the file that its manifest names"):
        restore(own, run.folder, "auth", uri)
    assert run_sql(uri, "SELECT count(*)::int FROM teams") == [(0,)]


def test_databases_out_of_step_are_refused_by_name_and_realigned_when_asked(databases: Databases) -> None:
    run = databases.run(3)
    history, steps = run.histories["specs"], run.histories["specs"].steps(("specs_0000",), 2)
    with describe.connected(databases.uri("specs"), "get out of step") as connection:
        for step in steps:
            history.run(connection, step)
    assert walk(databases.run(2)).status == "passed"  # auth has nothing in phases 1 and 2: both are at phase 2
    with describe.connected(databases.uri("auth"), "get out of step") as connection:
        history = run.histories["auth"]
        for step in history.steps(("auth_0000",), 6):
            history.run(connection, step)
    out = databases.run(3)
    with pytest.raises(SourceError, match=r"auth is at phase 6 .*specs is at phase 2"):
        walk(out)
    assert report(out)["verdict"]["status"] == "failed"  # type: ignore[index]
    assert "auth is at phase 6" in report(out)["verdict"]["headline"]  # type: ignore[index]
    with pytest.raises(ApprovalError, match=r"auth: table teams \(0 rows\)"):
        walk(databases.run(3, realign=True))
    assert answered(databases.run(3, realign=True)).status == "passed"
    assert tables(databases) == as_contracted(3)


def test_a_phase_that_fails_in_one_database_says_which_is_where(databases: Databases) -> None:
    run_sql(databases.uri("specs"), "CREATE VIEW llm_usage_tracking AS SELECT 1 AS one")
    walk(databases.run(2))
    run = databases.run(3)
    with pytest.raises(GateError, match=r"rehearsal on a clone of specs failed.*already exists"):
        walk(run)
    assert tables(databases) == as_contracted(2)


def at(databases: Databases) -> list[str]:
    return [run_sql(databases.uri(d), "SELECT version_num FROM alembic_version")[0][0] for d in ("auth", "specs")]


def test_single_revisions_up_and_down_and_between_phases(databases: Databases) -> None:
    between: dict[str, Any] = {"target_revision": {"specs": "specs_0005a"}}
    with pytest.raises(
        OptionsError, match=r"between phases: auth is at phase 0 .*specs stands between phases 4 and 5 .*realign"
    ):
        walk(databases.run(None, **between))
    with pytest.raises(OptionsError, match=r"specs has no revision 'abc123'.*specs_0005a"):
        walk(databases.run(None, target_revision={"specs": "abc123"}))
    with pytest.raises(OptionsError, match="names other; the databases of platform_schema are auth, specs"):
        walk(databases.run(None, target_revision={"other": "specs_0001"}))

    # a pair that is a phase goes as to that phase
    run = databases.run(None, target_revision=SchemaOptions.parse_revisions("auth=auth_0003, specs=specs_0004"))
    assert "every database is at phase 4" in walk(run).headline
    assert (at(databases), run.files.start.hops) == (["auth_0003", "specs_0004"], (1, 2, 3, 4))
    places = run.files.start.where.places  # type: ignore[union-attr]
    assert [p.connection for p in places] == ["socrates_auth_postgres", "socrates_specs_postgres"]
    assert all(p.place.startswith("postgres://") for p in places)  # type: ignore[union-attr]
    assert report(run)["where"]["places"][1]["place"] == places[1].place  # type: ignore[index]

    # up by one revision of three
    run = databases.run(None, **between, realign=True)
    assert "between phases (specs at specs_0005a)" in walk(run).headline
    assert (at(databases), run.files.start.hops) == (["auth_0003", "specs_0005a"], ("revisions",))
    found = report(run)["schema"]
    assert (found["target_phase"], found["target_revision"]) == (None, {"specs": "specs_0005a"})  # type: ignore[index]
    assert "between phases: " in Path(run.folder.location("report.html")).read_text()
    with pytest.raises(SourceError, match=r"auth is at phase 3 .*specs stands between phases 4 and 5 .*realign"):
        walk(databases.run(6))

    # down to a revision, from between phases; nobody is asked, so it is refused with what goes
    down: dict[str, Any] = {"target_revision": {"specs": "specs_0003"}, "realign": True}
    with pytest.raises(ApprovalError, match=r"going to phase 3 drops.*table generated_files \(0 rows\).*[0-9a-f]{64}"):
        walk(databases.run(None, **down))
    assert answered(databases.run(None, **down)).status == "passed"
    assert at(databases) == ["auth_0003", "specs_0003"]
    assert tables(databases) == as_contracted(3)


@pytest.mark.parametrize("given", ["auth", "auth=", "=r", "auth=a auth=b"])
def test_a_target_that_names_no_revision_is_refused(given: str) -> None:
    with pytest.raises(OptionsError, match="must name a revision for a database, once each"):
        SchemaOptions.parse_revisions(given)


def test_a_phase_and_revisions_are_not_asked_for_together() -> None:
    with pytest.raises(OptionsError, match=r"give target_phase or target_revision, not both \(target_phase is 3\)"):
        SchemaOptions(target_phase=3, target_revision={"specs": "specs_0003"})
    with pytest.raises(OptionsError, match="give target_phase or target_revision, one of them"):
        SchemaOptions()


def test_a_phase_that_is_none_is_refused(databases: Databases) -> None:
    with pytest.raises(OptionsError, match="phases of platform_schema are 0 to 6"):
        walk(databases.run(7))


def test_an_empty_pair_of_databases_comes_to_phase_6(
    postgres_server: postgres.Server, ledger: Ledger, workspace: Workspace
) -> None:
    empty = Databases(postgres_server, migration, ledger, workspace)
    assert walk(empty.run(6)).status == "passed"
    assert tables(empty) == as_contracted(6)


def test_tables_that_were_there_before_the_history_are_taken_over(
    postgres_server: postgres.Server, ledger: Ledger, workspace: Workspace
) -> None:
    found = Databases(postgres_server, migration, ledger, workspace)
    run_sql(
        found.uri("auth"),
        "CREATE TABLE users (id uuid PRIMARY KEY, email text)",
        "INSERT INTO users VALUES (gen_random_uuid(), 'a')",
    )
    assert walk(found.run(1)).status == "passed"
    assert run_sql(found.uri("auth"), "SELECT email FROM users") == [("a",)]
