"""What reading_side makes of a few rows."""

from examples.reading_side.migration import migration


def test_rows(check) -> None:
    check(
        migration,
        rows={"entries": [{"id": 1, "title": "Shopping", "body": "Milk"}, {"id": 2, "body": "A thought"}]},
        gives={"notes": [{"id": 1, "text": "Shopping\nMilk"}, {"id": 2, "text": "A thought"}]},
    )
