"""What in_place makes of a few rows."""

from examples.in_place.migration import migration


def test_rows(check) -> None:
    made = check(
        migration,
        rows={"users": [{"id": 1, "mail": "ada@Example.com"}, {"id": 2, "mail": "ada"}, {"id": 3}]},
        rejects={},
    )
    assert [(row["id"], row["mail_domain"]) for row in made.rows["with_domain"]] == [(1, "example.com")]
