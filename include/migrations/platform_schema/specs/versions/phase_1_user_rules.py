"""Rules that users set for the quality of their projects."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "specs_0001"
down_revision = "specs_0000"
branch_labels = None
depends_on = None
phase = 1


def upgrade() -> None:
    op.create_table(
        "user_rules",
        sa.Column("id", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("project_id", sa.Uuid(), nullable=True),
        sa.Column("rule_type", sa.Text(), nullable=False),
        sa.Column("definition", postgresql.JSONB(), nullable=False),
        sa.Column("is_active", sa.Boolean(), server_default=sa.true(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name="user_rules_project_id_fkey", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="user_rules_pkey"),
    )
    op.create_index("user_rules_user_id_idx", "user_rules", ["user_id"])
    op.create_index("user_rules_project_id_idx", "user_rules", ["project_id"])


def downgrade() -> None:
    op.drop_table("user_rules")
