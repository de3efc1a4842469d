"""What each call of a language model used and cost."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "specs_0003"
down_revision = "specs_0002"
branch_labels = None
depends_on = None
phase = 3


def upgrade() -> None:
    op.create_table(
        "llm_usage_tracking",
        sa.Column("id", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("project_id", sa.Uuid(), nullable=True),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("input_tokens", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("output_tokens", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("cost_usd", sa.Numeric(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.ForeignKeyConstraint(
            ["project_id"], ["projects.id"], name="llm_usage_tracking_project_id_fkey", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="llm_usage_tracking_pkey"),
    )
    op.create_index("llm_usage_tracking_user_id_idx", "llm_usage_tracking", ["user_id"])
    op.create_index("llm_usage_tracking_project_id_idx", "llm_usage_tracking", ["project_id"])


def downgrade() -> None:
    op.drop_table("llm_usage_tracking")
