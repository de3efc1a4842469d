"""What the way back of scoring results makes of a few rows."""

from __future__ import annotations

from include.migrations.scoring_results_reverse.migration import migration

AT = "2025-01-01T00:00:00+00:00"


def test_a_payload_that_is_none_is_rejected(check) -> None:
    rows = {"results": [{"session_id": "s", "payload": {"a": 1}, "computed_at": AT}]}
    made = check(migration, rows=rows, rejects={"s": "bad_payload"})
    assert all(rows == [] for rows in made.rows.values())
