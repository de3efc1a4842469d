"""What scoring results make of a few rows."""

from __future__ import annotations

import json

from include.migrations.scoring_results.migration import migration

SESSION = "00000000-0000-4000-8000-000000000001"
AT = "2025-01-01T00:00:00+00:00"
PROFILE = {
    "session_id": SESSION,
    "type_code": "LII",
    "confidence": "0.50",
    "results_version": "v1",
    "created_at": AT,
    "updated_at": AT,
}


def test_the_rows_of_a_session_become_one(check) -> None:
    scored = {"session_id": SESSION, "rank": 1, "type_code": "LII", "fit": "0.90", "share": "0.5"}
    state = {"session_id": SESSION, "overlay_band": "+", "effective_confidence": "0.4", "blocks": {"b": 1}}
    made = check(
        migration,
        rows={
            "sessions": [{"id": SESSION, "status": "completed", "started_at": AT}],
            "profiles": [PROFILE, {**PROFILE, "session_id": "alone"}],
            "types": [scored],
            "functions": [{"session_id": SESSION, "func_code": "Ti", "strength": "1.5", "dimension": 4}],
            "state": [state],
        },
    )
    (row,) = made.rows["results"]
    assert (row["session_id"], row["type_code"], row["confidence"], row["scoring_version"]) == (
        SESSION,
        "LII",
        "0.5",
        "v1",
    )
    assert json.loads(row["payload"])["types"] == [{"type_code": "LII", "fit": 0.9, "share": 0.5, "rank": 1}]
    assert {*made.codes("reject")} == {("known_sessions", "alone")}
