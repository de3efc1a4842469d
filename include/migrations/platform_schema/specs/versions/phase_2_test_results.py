"""Results of compatibility tests."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "specs_0002"
down_revision = "specs_0001"
branch_labels = None
depends_on = None
phase = 2


def upgrade() -> None:
    op.create_table(
        "test_results",
        sa.Column("id", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("test_name", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("details", postgresql.JSONB(), nullable=True),
        sa.Column("duration_ms", sa.BigInteger(), nullable=True),
        sa.Column("executed_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.ForeignKeyConstraint(
            ["project_id"], ["projects.id"], name="test_results_project_id_fkey", ondelete="CASCADE"
        ),
        sa.CheckConstraint("status IN ('passed', 'failed', 'skipped', 'error')", name="test_results_status_check"),
        sa.PrimaryKeyConstraint("id", name="test_results_pkey"),
    )
    op.create_index("test_results_project_id_idx", "test_results", ["project_id"])


def downgrade() -> None:
    op.drop_table("test_results")
