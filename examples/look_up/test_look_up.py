"""What look_up makes of a few rows."""

from examples.look_up.migration import migration

COUNTRIES = [{"code": "IN", "name": "India"}, {"code": "NO", "name": "Norway"}]


def test_rows(check) -> None:
    check(
        migration,
        rows={
            "countries": COUNTRIES,
            "orders": [
                {"id": 1, "country": "IN", "total": "20.5"},
                {"id": 2, "country": "no", "total": 7},
                {"id": 3, "country": "XX", "total": 1},
                {"id": 4},
            ],
        },
        gives={
            "sales": [
                {"id": 1, "country_name": "India", "total": "20.5"},
                {"id": 2, "country_name": "Norway", "total": 7},
            ]
        },
        rejects={"3": "unknown_country", "4": "unknown_country"},
    )
