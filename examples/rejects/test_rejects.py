"""What rejects makes of a few rows."""

from examples.rejects.migration import migration


def test_rows(check) -> None:
    made = check(
        migration,
        rows={
            "payments": [
                {"id": "p1", "amount": "10.50", "currency": "EUR", "status": "done"},
                {"id": "p2", "amount": "3", "status": "done"},
                {"id": "p3", "amount": "ten", "currency": "EUR", "status": "done"},
                {"id": "p4", "amount": "99", "currency": "EUR", "status": "cancelled"},
            ]
        },
        gives={
            "bookings": [
                {"id": "p1", "amount": "10.5", "currency": "EUR"},
                {"id": "p2", "amount": "3", "currency": "EUR"},
            ]
        },
        rejects={"p3": "no_number"},
        warns={"p2": "currency_assumed"},
    )
    assert made.counts["bookings"]["unaccounted"] == 0
