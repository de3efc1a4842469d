"""Knowledge embeddings: what each document's content means, as a vector beside it. See README.md."""

from __future__ import annotations

from pathlib import Path

from include.trueup.declare.migration import Cost, Migration, Param, Phase, Source, Table, Target, Type

from . import suites
from .embed import PRICE, cost_in_words, count_tokens, embed_batch, lost_batch

HERE = Path(__file__).parent
COLUMNS = ("id", "content", "embedding", "embedding_model", "content_sha256")
DOCUMENTS = Table(
    name="knowledge_base_documents",
    connection="socrates_specs_postgres",
    key=("id",),
    columns={**dict.fromkeys(COLUMNS, Type.TEXT), "uploaded_at": Type.TIMESTAMP},
)

migration = Migration(
    id="knowledge_embeddings",
    title="Knowledge embeddings",
    owner="socrates",
    doc=(HERE / "README.md").read_text(encoding="utf-8"),
    sources=(Source(id="documents", table=DOCUMENTS, partition_by=("id",), window="uploaded_at"),),
    targets=(Target(id="embedded", table=DOCUMENTS, owned=COLUMNS[2:]),),
    phases=(
        Phase(
            id="embed",
            title="Vectors of documents",
            source="documents",
            target="embedded",
            transform=(HERE / "state.sql", HERE / "embed.sql"),
            suite=suites.documents,
            allow_empty=True,
            expected_skips=("no_content",),
            finish=(HERE / "finish_1_invalid.sql", HERE / "finish_2_index.sql"),
        ),
    ),
    functions={"embed_batch": embed_batch, "count_tokens": count_tokens, "lost_batch": lost_batch},
    params=(
        Param(
            id=PRICE,
            title="Price per million tokens",
            description="What a million tokens cost, in any currency, for the estimate that is approved first; the model that "
            "comes with it runs on your own machine, and costs its time.",
            type="number",
            default=0,
            minimum=0,
            maximum=1_000_000,
        ),
    ),
    cost=Cost(scripts=(HERE / "state.sql", HERE / "cost.sql"), words=cost_in_words),
    suite=suites.whole,
)
