"""What window makes of a few rows."""

from examples.window.migration import migration


def test_rows(check) -> None:
    check(
        migration,
        rows={"visits": [{"id": 1, "began_at": "2026-01-01T08:00:00+00:00", "page": "/a/"}]},
        gives={"sessions": [{"id": 1, "began_at": "2026-01-01T08:00:00+00:00", "page": "/a"}]},
    )
