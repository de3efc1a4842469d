"""Rows that a store refused, by batch."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "batches", sa.Column("refused", postgresql.JSONB(), server_default="[]", nullable=False), schema="trueup"
    )


def downgrade() -> None:
    op.drop_column("batches", "refused", schema="trueup")
