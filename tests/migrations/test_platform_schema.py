"""Platform schema: both databases through all phases, up and down, on real PostgreSQL."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path

import pytest

from include.embedded import postgres
from include.migrations.platform_schema import sample
from include.migrations.platform_schema.migration import migration
from include.trueup.errors import ApprovalError, GateError, OptionsError, SourceError
from include.trueup.ledger import Ledger
from include.trueup.run import Mode
from include.trueup.run.workspace import Workspace
from include.trueup.schema import describe
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
