"""What knowledge embeddings make of a few rows."""

from __future__ import annotations

from include.migrations.knowledge_embeddings.migration import migration

AT = "2025-01-01T00:00:00+00:00"


def test_a_document_without_content_is_left_out(check) -> None:
    made = check(
        migration, rows={"documents": [{"id": "d", "uploaded_at": AT}, {"id": "e", "content": "", "uploaded_at": AT}]}
    )
    assert made.rows["embedded"] == []
    assert made.counts["embed"]["unaccounted"] == 0
