"""What orders of DynamoDB become."""

from decimal import Decimal

from examples.dynamodb_to_postgres.migration import migration
from include.trueup.testing import check

ORDER = {"id": "a", "placedAt": "2025-01-31T12:00:00Z", "total": Decimal("1.50"), "paid": True}


def test_rows() -> None:
    check(
        migration,
        rows={
            "shop_orders": [
                {**ORDER, "address": {"city": "Köln", "floor": None, "geo": [1, {"lat": Decimal("50.9")}]}},
                {**ORDER, "id": "b", "note": "", "tags": {"new", "gift"}, "coupon": "X", "receipt": b"\x00\xff"},
                {**ORDER, "id": "c", "note": None},
                {**ORDER, "id": "d", "total": "much"},
                {**ORDER, "id": "e", "placedAt": "yesterday"},
            ]
        },
        gives={
            "orders": [
                order("a", address='{"city":"Köln","floor":null,"geo":[1,{"lat":50.9}]}'),
                order("b", note="", tags='["gift","new"]', more='{"coupon":"X"}', receipt=b"\x00\xff"),
                order("c"),
            ]
        },
        rejects={"d": "bad_type", "e": "bad_date"},
    )


def order(id: str, **more: object) -> dict[str, object]:
    """A row of the new table."""
    return {"id": id, "placed_at": "2025-01-31T12:00:00+00:00", "total": Decimal("1.5"), "paid": True, **more}
