"""What invoices of PostgreSQL become."""

from decimal import Decimal

from examples.postgres_to_dynamodb.migration import migration
from include.trueup.testing import check

INVOICE = {"number": 1, "customer": "c", "amount": "10.00", "rate": 0.5, "issued_at": "2025-01-31T12:00:00+01:00"}
ITEM = {"number": 1, "customer": "c", "amount": 10, "rate": Decimal("0.5"), "issuedAt": "2025-01-31T11:00:00+00:00"}


def test_rows() -> None:
    check(
        migration,
        rows={
            "invoices": [
                {
                    **INVOICE,
                    "lines": [{"sku": "ä", "n": 2, "off": None}],
                    "labels": ["b", "a", "b"],
                    "due": "2025-02-28",
                },
                {**INVOICE, "number": 2, "note": "", "labels": [], "scan": b"\x00", "paid": False},
                {**INVOICE, "number": 3, "rate": float("nan")},
                {**INVOICE, "number": 4, "amount": "1" * 39},
            ]
        },
        gives={
            "billing_invoices": [
                {
                    **ITEM,
                    "document": {"lines": [{"sku": "ä", "n": 2, "off": None}]},
                    "labels": {"a", "b"},
                    "due": "2025-02-28",
                },
                {**ITEM, "number": 2, "note": "", "scan": b"\x00", "paid": False},
            ]
        },
        rejects={"3": "unwritable", "4": "unwritable"},
    )
