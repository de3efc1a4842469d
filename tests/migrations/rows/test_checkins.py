"""What check-ins make of a few rows."""

from __future__ import annotations

from include.migrations.checkins.migration import migration

BASE = {"id": "c_f", "clientId": "c", "formId": "f", "recurringWeek": 1, "isRecurring": True, "totalWeeks": 3}
ASSIGNMENT = {**BASE, "status": "pending", "dueDate": "2025-01-06T00:00:00Z"}
RESPONSE = {
    "id": "r",
    "clientId": "c",
    "formId": "f",
    "recurringWeek": 2,
    "submittedAt": "2025-01-14T09:00:00Z",
    "score": 7,
}


def test_every_week_of_a_series_gets_an_assignment_and_its_response_is_linked(check) -> None:
    late = {**RESPONSE, "id": "late", "recurringWeek": 9}
    made = check(
        migration,
        rows={"check_in_assignments": [ASSIGNMENT], "form_responses": [RESPONSE, late]},
        rejects={},
        warns={"late": "week_past_total"},
    )
    weeks = {row["recurringWeek"]: row for row in made.rows["assignments"]}
    assert {week: row["status"] for week, row in weeks.items()} == {"2": "completed", "3": "pending", "9": "completed"}
    assert weeks["3"]["dueDate"] == "2025-01-20T00:00:00Z"
    assert {row["id"]: row["assignmentId"] for row in made.rows["responses"]} == {
        "r": weeks["2"]["id"],
        "late": weeks["9"]["id"],
    }
