"""The shadow comparison: the unified row and the legacy tables, read side by side for a share of all sessions."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from include.migrations.differences import differences
from include.trueup.cutover.comparison import Compared, Comparison
from include.trueup.declare.migration import Param
from include.trueup.errors import SourceError

from .serving import legacy_payload, unified_payload

if TYPE_CHECKING:
    from include.trueup.stores.postgres import PostgresStore

# A session's own hash decides, so that a larger share looks at all that a smaller one did.
_SESSIONS = """
SELECT id::text FROM (SELECT session_id AS id FROM profiles UNION SELECT session_id FROM scoring_results) s
WHERE (hashtextextended(id::text, 0) & 9223372036854775807)::numeric < %s::numeric * 9223372036854775808
ORDER BY id
"""


def compare(store: PostgresStore, asked: Mapping[str, Any]) -> Compared:
    """Read `asked["share"]` (0 … 1) of the sessions both ways, all of them in one state of the database.

    A difference has `key` (the session), `path` (where in the payload; empty where a way has no payload at all),
    `unified` and `legacy` (JSON text, None for what is not there). Payloads are compared by value.
    """
    result = Compared(whole=float(asked["share"]) >= 1)
    with store.connect() as connection:
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        if connection.execute("SELECT to_regclass('public.scoring_results')").fetchone() == (None,):
            raise SourceError("there is no table scoring_results to compare with; run the DAG scoring_results first")
        for (session,) in connection.execute(_SESSIONS, [str(asked["share"])]).fetchall():
            unified, legacy = unified_payload(connection, session), legacy_payload(connection, session)
            if unified is None and legacy is None:
                continue  # a profile without types, which has no results either way
            result.compared += 1
            for path, one, other in differences(unified, legacy):
                result.differences.append({"key": session, "path": path, "unified": one, "legacy": other})
    return result


comparison = Comparison(
    id="scoring_results_shadow",
    migration="scoring_results",
    title="Scoring results: shadow comparison",
    owner="prism",
    doc=(Path(__file__).parent / "SHADOW.md").read_text(encoding="utf-8"),
    connection="scoring_postgres",
    compare=compare,  # type: ignore[arg-type]  # a store behind that connection is a PostgresStore
    params=(
        Param(
            id="share",
            title="Share of the sessions",
            description="How much of all sessions is read both ways. 1 is every session.",
            type="number",
            default=1.0,
            minimum=0,
            maximum=1,
        ),
    ),
)
