"""Batches are of an output: a phase has several, and they were named in its column."""

from __future__ import annotations

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.alter_column("batches", "phase", new_column_name="output", schema="trueup")


def downgrade() -> None:
    op.alter_column("batches", "output", new_column_name="phase", schema="trueup")
