"""Knowledge embeddings: what each document's content means, as a vector beside it. See README.md."""

from __future__ import annotations

from pathlib import Path

from include.trueup.declare.migration import Migration, Phase, Source, Table, Target, Type

from . import suites
from .embed import count_tokens, embed_batch

HERE = Path(__file__).parent
COLUMNS = ("id", "content", "embedding", "embedding_model", "content_sha256")
DOCUMENTS = Table(
    name="knowledge_base_documents",
    connection="socrates_specs_postgres",
    key=("id",),
    columns=dict.fromkeys(COLUMNS, Type.TEXT),
)

migration = Migration(
    id="knowledge_embeddings",
    title="Knowledge embeddings",
    owner="socrates",
    doc=(HERE / "README.md").read_text(encoding="utf-8"),
    sources=(Source(id="documents", table=DOCUMENTS, partition_by=("id",)),),
    targets=(Target(id="embedded", table=DOCUMENTS, owned=COLUMNS[2:]),),
    phases=(
        Phase(
            id="embed",
            title="Vectors of documents",
            source="documents",
            target="embedded",
            transform=HERE / "embed.sql",
            suite=suites.documents,
            allow_empty=True,
            expected_skips=("no_content",),
        ),
    ),
    functions={"embed_batch": embed_batch, "count_tokens": count_tokens},
    suite=suites.whole,
)
