"""Search: the documents whose content means what somebody asks for, by the distance of their vectors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .embed import MODEL, notation
from .minilm import load

if TYPE_CHECKING:
    from include.trueup.stores.postgres import Connection

MOST = 100
"""Documents of an answer, at most."""
_SEARCHED = 400
"""Candidates that the index looks at; with fewer than so many it is as good as exact."""
_NEAREST = (
    "SELECT id, project_id, filename, content_type, uploaded_at, left(content, 300) AS excerpt, "
    "embedding <=> %(vector)s::vector AS distance FROM knowledge_base_documents "
    # the model as a literal, without which the partial index does not serve
    f"WHERE embedding_model = '{MODEL}' ORDER BY embedding <=> %(vector)s::vector, id LIMIT %(limit)s"
)
_THERE = (
    "SELECT EXISTS (SELECT FROM pg_attribute WHERE attrelid = to_regclass('knowledge_base_documents') "
    "AND attname = 'content_sha256' AND NOT attisdropped)"
)


def embedded(text: str) -> str:
    """The text's vector, as pgvector writes it. Raises `DeclarationError` where the model is not installed."""
    (vector,) = load().embed([text])
    return notation(vector)


def is_set_up(connection: Connection) -> bool:
    """Whether the database has come to the phase that has vectors."""
    (exists,) = connection.execute(_THERE).fetchone() or (False,)
    return bool(exists)


def nearest(connection: Connection, vector: str, limit: int, *, exact: bool = False) -> list[dict[str, Any]]:
    """The `limit` documents with a vector of the current model whose cosine distance to `vector` is least, the nearest first;
    `exact`: by looking at every one, without the index."""
    settings = {"enable_indexscan": "off" if exact else "on", "hnsw.ef_search": str(_SEARCHED)}
    for name, value in settings.items():
        connection.execute("SELECT set_config(%s, %s, true)", [name, value])
    cursor = connection.execute(_NEAREST, {"vector": vector, "limit": limit})
    names = [column.name for column in cursor.description or ()]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
