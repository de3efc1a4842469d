"""The sample: documents in a database at phase 5 of the platform's schema, some with a vector, old, or without content."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING
from uuid import NAMESPACE_URL, uuid5

from include.trueup.errors import SourceError

from .migration import DOCUMENTS

if TYPE_CHECKING:
    from include.trueup.stores.postgres import PostgresStore

AFTER = ("platform_schema",)
"""Migrations whose demo comes first: phase 5 makes the table; without it, the sample makes it alone."""
ROWS = 150
LONG = (7, 77)
"""Documents that are longer than the model sees."""
_SCHEMA = """
CREATE EXTENSION IF NOT EXISTS vector;
CREATE TABLE IF NOT EXISTS knowledge_base_documents (
    id uuid DEFAULT gen_random_uuid() NOT NULL CONSTRAINT knowledge_base_documents_pkey PRIMARY KEY, project_id uuid, user_id uuid NOT NULL,
    filename text NOT NULL, content_type text, content text, uploaded_at timestamptz DEFAULT now() NOT NULL,
    embedding vector(384), embedding_model text, content_sha256 text
);
"""
_OLD = "[" + ",".join(["0.25"] * 384) + "]"


def ready(resolve: Callable[[str], PostgresStore]) -> bool:
    """Whether phase 5 has made the table, so that the sample does not make it in its way."""
    return resolve(DOCUMENTS.connection).describe(DOCUMENTS) is not None


def fill(resolve: Callable[[str], PostgresStore]) -> dict[str, int]:
    """Fill the documents in; rows by table. Where the table is not there yet, it is made alone, as phase 5 would have it."""
    store = resolve(DOCUMENTS.connection)
    store.script(_SCHEMA)
    if (described := store.describe(DOCUMENTS)) is None or described.key != DOCUMENTS.key:
        raise SourceError("knowledge_base_documents is not as phase 5 of platform_schema has it; run that DAG first")
    values = ", ".join(_row(n) for n in range(ROWS))
    columns = "id, user_id, filename, content, uploaded_at, embedding, embedding_model, content_sha256"
    store.script(f"INSERT INTO knowledge_base_documents ({columns}) VALUES {values} ON CONFLICT DO NOTHING")
    return {DOCUMENTS.name: ROWS}


def _row(n: int) -> str:
    id, user = (uuid5(NAMESPACE_URL, f"knowledge/{kind}/{n}") for kind in ("document", "user"))
    content = (
        f"'Document {n}: the café''s page answers within {n} seconds, “quoted”, 日本語. {'Once more. ' * (n % 8)}'"
    )
    if n in LONG:
        content = f"'Document {n}: {'the page answers in time, and says so. ' * 40}'"
    if n % 50 == 0:
        content = "NULL" if n % 100 else "'  '"
    old = f"'{_OLD}', 'a-model-of-last-year', 'an old hash'" if n % 9 == 1 else "NULL, NULL, NULL"
    day = f"2025-03-{n % 28 + 1:02}T08:{n % 60:02}:00.{n:06}Z"
    return f"('{id}', '{user}', 'file {n}.txt', {content}, '{day}', {old})"
