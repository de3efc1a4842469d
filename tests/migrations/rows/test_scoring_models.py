"""What scoring models make of a few rows."""

from __future__ import annotations

from include.migrations.scoring_models.migration import VERSION, migration

RESPONSE = {"id": "r", "survey_id": "s", "submitted_at": "2025-01-01T00:00:00Z", "answers": {}, "index_score": "50"}


def test_a_response_gets_the_version_that_scored_it(check) -> None:
    made = check(
        migration,
        rows={"responses": [RESPONSE], "surveys": [{"id": "s", "name": "S", "scoring_config": {}}]},
        rejects={},
    )
    assert [row[VERSION] for row in made.rows["survey_responses"]] == ["1.1.0"]
    assert made.rows["response_scores"] == []
    assert [row["version"] for row in made.rows["scoring_model_versions"]] == ["1.0.0", "1.1.0", "2.0.0"]
