"""What documents makes of a few rows."""

from examples.documents.migration import migration


def test_rows(check) -> None:
    check(
        migration,
        rows={
            "film": [{"film_id": 1, "title": "Metropolis"}, {"film_id": 2, "title": "Nobody"}],
            "actor": [{"actor_id": 10, "name": "Brigitte Helm"}, {"actor_id": 11, "name": "Alfred Abel"}],
            "film_actor": [
                {"film_id": 1, "actor_id": 10},
                {"film_id": 1, "actor_id": 11},
                {"film_id": 2, "actor_id": 99},
            ],
            "film_category": [{"film_id": 1, "category": "silent"}],
        },
        gives={
            "film_documents": [
                {
                    "film_id": 1,
                    "document": {
                        "title": "Metropolis",
                        "actors": ["Alfred Abel", "Brigitte Helm"],
                        "categories": ["silent"],
                    },
                },
                {"film_id": 2, "document": {"title": "Nobody", "actors": [], "categories": []}},
            ]
        },
        warns={"2": "unknown_actor"},
    )
