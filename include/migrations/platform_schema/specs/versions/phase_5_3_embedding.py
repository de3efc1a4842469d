"""What a document's content means, as a vector, and what the vector was made from."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.types import UserDefinedType

revision = "specs_0005c"
down_revision = "specs_0005b"
branch_labels = None
depends_on = None
phase = 5

DOCUMENTS = "knowledge_base_documents"


class Vector(UserDefinedType[str]):
    """pgvector's type of 384 single-precision numbers."""

    cache_ok = True

    def get_col_spec(self, **_: object) -> str:
        """The type as SQL."""
        return "vector(384)"


def upgrade() -> None:
    op.add_column(DOCUMENTS, sa.Column("embedding", Vector(), nullable=True))
    op.add_column(DOCUMENTS, sa.Column("embedding_model", sa.Text(), nullable=True))
    op.add_column(DOCUMENTS, sa.Column("content_sha256", sa.Text(), nullable=True))


def downgrade() -> None:
    op.drop_column(DOCUMENTS, "content_sha256")
    op.drop_column(DOCUMENTS, "embedding_model")
    op.drop_column(DOCUMENTS, "embedding")
