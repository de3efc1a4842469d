"""Whether the new table would be open where a legacy one is not: asked before anything is approved."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from include.trueup.declare.migration import Breach

if TYPE_CHECKING:
    from include.trueup.stores.postgres import PostgresStore

ROW_SECURITY = "row_security"
"""Param: `as_legacy`, as the table profiles has it; or `owner`, a row is visible to the user of its session."""
OPEN_TABLE, POLICY_COLUMN = "open_table", "policy_column"
_LEGACY = ["profiles", "scoring_results_types", "scoring_results_functions", "scoring_results_state"]
_SECURED = """
SELECT c.relname, c.relrowsecurity FROM unnest(%s::text[]) t JOIN pg_class c ON c.oid = to_regclass(t) ORDER BY 1
"""
_COLUMNS = """
SELECT p.polname, string_agg(DISTINCT a.attname, ', ')
FROM pg_policy p
JOIN pg_depend d ON d.classid = 'pg_policy'::regclass AND d.objid = p.oid
    AND d.refclassid = 'pg_class'::regclass AND d.refobjid = p.polrelid AND d.refobjsubid > 0
JOIN pg_attribute a ON a.attrelid = p.polrelid AND a.attnum = d.refobjsubid
WHERE p.polrelid = to_regclass('profiles') AND NOT a.attname = ANY (%s::text[])
GROUP BY 1 ORDER BY 1
"""
COLUMNS = ["session_id", "type_code", "confidence", "scoring_version", "payload", "computed_at"]


def breaches(store: PostgresStore, params: Mapping[str, str | None]) -> tuple[Breach, ...]:
    """A legacy table with row security beside a new one without; and policies that the new table could not have."""
    unmet = []
    with store.connect() as connection:
        secured = dict(connection.execute(_SECURED, [[*_LEGACY, "scoring_results"]]).fetchall())
        table_exists = "scoring_results" in secured
        closed = [table for table in _LEGACY if secured.get(table)]
        by_itself = params.get(ROW_SECURITY) == "owner" or secured.get("profiles", False)
        if closed and not (secured["scoring_results"] if table_exists else by_itself):
            how = (
                "ALTER TABLE scoring_results ENABLE ROW LEVEL SECURITY, with the policies that it needs"
                if table_exists
                else f"choose {ROW_SECURITY} owner, or give profiles the policies that the new table is to have"
            )
            message = (
                f"{' and '.join(closed)} has row security and scoring_results has none, so whoever may not see a row there sees it "
                f"here: {how}"
            )
            unmet.append(Breach(code=OPEN_TABLE, table="scoring_results", message=message))
        if not table_exists and params.get(ROW_SECURITY) != "owner":
            for policy, columns in connection.execute(_COLUMNS, [COLUMNS]).fetchall():
                message = (
                    f"the policy {policy} of profiles names {columns}, which scoring_results does not have, so it cannot be copied: "
                    f"rewrite it to session_id, or choose {ROW_SECURITY} owner"
                )
                unmet.append(Breach(code=POLICY_COLUMN, table="profiles", message=message))
    return tuple(unmet)
