"""What one_to_many makes of a few rows."""

from examples.one_to_many.migration import migration


def test_rows(check) -> None:
    lines = [{"article": "pen", "quantity": 2}, {"article": "ink", "quantity": 1}]
    check(
        migration,
        rows={"carts": [{"id": 1, "customer": "Ada", "lines": lines}, {"id": 2, "customer": "Grace", "lines": []}]},
        gives={
            "orders": [{"id": 1, "customer": "Ada"}, {"id": 2, "customer": "Grace"}],
            "order_lines": [
                {"order_id": 1, "line": 1, "article": "pen", "quantity": 2},
                {"order_id": 1, "line": 2, "article": "ink", "quantity": 1},
            ],
        },
    )
