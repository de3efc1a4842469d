"""What KPI linking makes of a few rows."""

from __future__ import annotations

from include.migrations.kpi_linking.migration import migration

LINK = {
    "id": "l",
    "tenant_id": "t",
    "kpi_id": "k",
    "goal_id": "g",
    "created_by": "u",
    "is_primary": True,
    "display_order": 1,
}
READING = {"id": "r", "tenant_id": "t", "kpi_id": "k", "reading_date": "2025-01-31", "value": "1.50"}


def test_a_reading_goes_to_each_link_of_its_kpi(check) -> None:
    made = check(
        migration,
        rows={
            "goal_kpi_links": [LINK, {**LINK, "id": "m", "kpi_id": None}, {**LINK, "id": "n", "is_primary": "yes"}],
            "kpis": [{"id": "k", "tenant_id": "t", "owner_id": "u"}],
            "people": [{"id": "p", "tenant_id": "t", "linked_user_id": "u"}],
            "kpi_readings": [READING, {**READING, "id": "l"}, {**READING, "id": "m", "reading_date": "31/01/2025"}],
        },
        gives={"kpi_links": [{**LINK, "person_id": "p"}]},
        rejects={("goal_kpi_links", "m"): "missing_key", "n": "bad_type", ("kpi_readings", "m"): "bad_date"},
    )
    assert {(row["legacy_id"], row["kpi_link_id"], row["post_value"]) for row in made.rows["kpi_data"]} == {
        ("r", "l", "1.5"),
        ("l", "l", "1.5"),
    }


def test_an_attribute_that_is_not_declared_is_carried_as_it_is(check) -> None:
    tagged = {**LINK, "tags": {"b", "a"}, "depth": {"of": [1, None]}}
    made = check(migration, rows={"goal_kpi_links": [tagged]}, rejects={})
    assert made.rows["kpi_links"][0]["_extra"] == (
        '{"depth":{"M":{"of":{"L":[{"N":"1"},{"NULL":true}]}}},"tags":{"SS":["a","b"]}}'
    )
