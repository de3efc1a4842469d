"""The whole of phase 5, as people play it: up, embeddings, search, down, and the documents back from the backup."""

from __future__ import annotations

from pathlib import Path

import pytest

from include.embedded import postgres
from include.migrations.knowledge_embeddings import serving
from include.migrations.knowledge_embeddings.migration import migration as embeddings
from include.migrations.platform_schema import sample
from include.migrations.platform_schema.migration import migration
from include.trueup.ledger import Ledger
from include.trueup.run.workspace import Workspace
from include.trueup.schema.restore import restore
from include.trueup.stores.postgres import PostgresStore
from include.trueup.walk import walk
from tests.harness import run_of, run_sql
from tests.samples import Samples
from tests.schemas import Databases, answered

TEXTS = ("The cat sleeps on the sofa.", "Invoices are due within thirty days.", "A kitten plays with wool.")


def test_up_embeddings_search_down_and_back(
    postgres_server: postgres.Server,
    ledger: Ledger,
    workspace: Workspace,
    samples: Samples,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TRUEUP_HOME", str(tmp_path / "home"))
    uris = samples.databases(sample, migration.connections)
    databases = Databases(postgres_server, migration, ledger, workspace, uris)
    assert walk(databases.run(5)).status == "passed"
    specs = databases.uri("specs")
    values = ", ".join(f"(gen_random_uuid(), '{n}.txt', '{text}')" for n, text in enumerate(TEXTS))
    run_sql(specs, f"INSERT INTO knowledge_base_documents (user_id, filename, content) VALUES {values}")

    store = PostgresStore(specs)
    assert walk(run_of(embeddings, ledger, workspace, lambda _: store, "embed")).status == "passed"
    with store.connect() as connection:
        assert serving.is_set_up(connection)
        found = serving.nearest(connection, serving.embedded("young cats"), 3)
    assert {d["filename"] for d in found[:2]} == {"0.txt", "2.txt"}
    held = run_sql(specs, "SELECT filename, embedding::text FROM knowledge_base_documents ORDER BY 1")

    down = databases.run(4)
    assert answered(down).status == "passed"
    rehearsed = down.rehearsed("specs")
    assert rehearsed.lost["table knowledge_base_documents"] == 3
    assert any("knowledge_base_documents_all_minilm_l6_v2_idx goes with it" in note for note in rehearsed.notes)
    with store.connect() as connection:
        assert not serving.is_set_up(connection)
    assert walk(databases.run(5)).status == "passed"
    restore(workspace.run("restore"), down.folder, "specs", specs, tables=["knowledge_base_documents"])
    assert run_sql(specs, "SELECT filename, embedding::text FROM knowledge_base_documents ORDER BY 1") == held
