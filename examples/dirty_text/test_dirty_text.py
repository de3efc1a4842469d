"""What dirty text becomes."""

from examples.dirty_text.migration import migration

ORDER = {"email": " Ada@Example.COM ", "total": "1.234,50 EUR", "placed_on": "2021-12-31", "status": "OPEN"}
CLEAN = {"email": "ada@example.com", "currency": "EUR", "total": "1234.5", "placed_on": "2021-12-31", "status": "open"}


def test_rows(check) -> None:
    check(
        migration,
        rows={
            "orders_legacy": [
                {"order_no": "O-1", **ORDER},
                {"order_no": "O-2", **ORDER, "placed_on": "31.12.2021", "total": "1,007.25 USD", "status": "Canceled "},
                {"order_no": "O-3", **ORDER, "placed_on": "12/31/2021", "email": "  "},
                {"order_no": "O-4", **ORDER, "total": "tbd"},
                {"order_no": "O-5", **ORDER, "placed_on": "soon"},
                {"order_no": "O-6", **ORDER, "status": None},
                {"order_no": "six", **ORDER},
            ]
        },
        gives={
            "clean_orders": [
                {"id": 1, **CLEAN},
                {"id": 2, **CLEAN, "total": "1007.25", "currency": "USD", "status": "cancelled"},
            ]
        },
        rejects={"O-3": "no_email", "O-4": "bad_total", "O-5": "bad_date", "O-6": "bad_status", "six": "bad_number"},
    )
