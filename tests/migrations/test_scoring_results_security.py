"""Who may see the new table: as the legacy one has it, or the user of the session; and never more than before, unseen."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from include.migrations.scoring_results import sample
from include.migrations.scoring_results.migration import migration
from include.trueup.errors import GateError
from include.trueup.ledger import Ledger
from include.trueup.run import Mode
from include.trueup.run.workspace import Workspace
from include.trueup.stores.postgres import PostgresStore
from include.trueup.walk import walk
from tests.harness import run_of, run_sql
from tests.samples import Samples

ADA = "11111111-1111-4111-8111-111111111111"
SECURED = (
    "DO $$ BEGIN CREATE ROLE trueup_reader; EXCEPTION WHEN duplicate_object THEN NULL; END $$",
    "DO $$ BEGIN CREATE ROLE trueup_keeper; EXCEPTION WHEN duplicate_object THEN NULL; END $$",
    "ALTER TABLE profiles OWNER TO trueup_keeper",
    "ALTER TABLE profiles ENABLE ROW LEVEL SECURITY",
    "GRANT SELECT ON profiles, assessment_sessions TO trueup_reader",
    "GRANT UPDATE ON profiles TO trueup_reader WITH GRANT OPTION",
    "GRANT SELECT ON assessment_sessions TO trueup_keeper",
    "GRANT CREATE ON SCHEMA public TO trueup_keeper",
    f"""CREATE POLICY mine ON profiles FOR SELECT TO trueup_reader USING (EXISTS (
        SELECT 1 FROM assessment_sessions s WHERE s.id = profiles.session_id AND s.user_id = '{ADA}'))""",
    "CREATE POLICY nobody ON profiles AS RESTRICTIVE FOR UPDATE USING (session_id IS NULL) WITH CHECK (false)",
)
SEEN = "SELECT session_id::text FROM scoring_results ORDER BY 1"


@pytest.fixture
def uri(samples: Samples) -> str:
    """The sample, of which a session is Ada's; row security on profiles, and no unified table."""
    uri = samples.database(sample)
    id = sample.rows()["assessment_sessions"][1]["id"]
    run_sql(
        uri,
        *SECURED,
        "DROP TABLE scoring_results",
        f"UPDATE assessment_sessions SET user_id = '{ADA}' WHERE id = '{id}'",
    )
    return uri


def run(uri: str, ledger: Ledger, workspace: Workspace, id: str = "run", **options: Any) -> Any:
    made = run_of(migration, ledger, workspace, lambda _: PostgresStore(uri), id, **options)
    walk(made)
    return made


def seen(uri: str, claims: str = "") -> list[str]:
    with psycopg.connect(uri) as connection:
        connection.execute("SET ROLE trueup_reader")
        connection.execute("SELECT set_config('request.jwt.claims', %s, true)", [claims])
        return [id for (id,) in connection.execute(SEEN)]


def policies(uri: str) -> list[tuple[Any, ...]]:
    named = "policyname, permissive, roles::text, cmd, qual, with_check"
    return run_sql(uri, f"SELECT {named} FROM pg_policies WHERE tablename = 'scoring_results' ORDER BY 1")


def test_the_new_table_has_what_profiles_has_and_owner_narrows_it(
    uri: str, ledger: Ledger, workspace: Workspace
) -> None:
    first = run(uri, ledger, workspace)
    mine, nobody = policies(uri)
    assert (mine[:4], nobody[:4]) == (
        ("mine", "PERMISSIVE", "{trueup_reader}", "SELECT"),
        ("nobody", "RESTRICTIVE", "{public}", "UPDATE"),
    )
    assert "scoring_results.session_id" in mine[4]
    assert nobody[4:] == ("(session_id IS NULL)", "false")
    about = "SELECT relowner::regrole::text, relrowsecurity, relforcerowsecurity FROM pg_class WHERE relname = 'scoring_results'"
    assert run_sql(uri, about) == [("trueup_keeper", True, False)]
    rights = (
        "SELECT privilege_type, is_grantable FROM information_schema.role_table_grants"
        " WHERE table_name = 'scoring_results' AND grantee = 'trueup_reader' ORDER BY 1"
    )
    assert run_sql(uri, rights) == [("SELECT", "NO"), ("UPDATE", "YES")]
    id = str(sample.rows()["assessment_sessions"][1]["id"])
    assert seen(uri) == [id]

    as_owner = run(uri, ledger, workspace, "second", params={"row_security": "owner"})
    assert as_owner.files.plan.sha256 != first.files.plan.sha256
    assert [policy[0] for policy in policies(uri)] == ["nobody", "scoring_results_owner"] or [
        policy[0] for policy in policies(uri)
    ] == ["scoring_results_owner"]
    assert seen(uri) == []
    assert seen(uri, f'{{"sub": "{ADA}"}}') == [id]
    run(uri, ledger, workspace, "third")
    assert [policy[0] for policy in policies(uri)] == ["mine", "nobody"]
    assert seen(uri) == [id]


def test_what_would_be_open_or_cannot_be_copied_stops_the_plan(uri: str, ledger: Ledger, workspace: Workspace) -> None:
    run_sql(uri, "CREATE POLICY late ON profiles USING (created_at < now() AND overlay IS NOT NULL)")
    with pytest.raises(GateError, match="policy_column: the policy late of profiles names created_at, overlay, which"):
        run(uri, ledger, workspace, "policy", mode=Mode.PLAN)
    run_sql(
        uri,
        "DROP POLICY late ON profiles",
        "ALTER TABLE profiles DISABLE ROW LEVEL SECURITY",
        "ALTER TABLE scoring_results_state ENABLE ROW LEVEL SECURITY",
    )
    with pytest.raises(
        GateError, match="open_table: scoring_results_state has row security and scoring_results has none"
    ):
        run(uri, ledger, workspace, "open", mode=Mode.PLAN)
    assert b",scoring_results,,reject,open_table," in (workspace.read("runs/open/findings.csv") or b"")
    assert run_sql(uri, "SELECT to_regclass('scoring_results')") == [(None,)]
