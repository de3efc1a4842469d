"""What live_tables makes of a few rows."""

from examples.live_tables.migration import migration


def test_rows(check) -> None:
    check(
        migration,
        rows={"accounts": [{"id": 1, "mail": "Ada@example.com", "plan": "free"}]},
        gives={"members": [{"id": 1, "mail": "ada@example.com", "tariff": "free"}]},
    )
