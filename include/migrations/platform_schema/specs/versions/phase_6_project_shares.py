"""Projects shared with teams and users."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "specs_0006"
down_revision = "specs_0005c"
branch_labels = None
depends_on = None
phase = 6


def upgrade() -> None:
    op.create_table(
        "project_shares",
        sa.Column("id", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("team_id", sa.Uuid(), nullable=True),
        sa.Column("user_id", sa.Uuid(), nullable=True),
        sa.Column("permission", sa.Text(), server_default="read", nullable=False),
        sa.Column("shared_by", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.ForeignKeyConstraint(
            ["project_id"], ["projects.id"], name="project_shares_project_id_fkey", ondelete="CASCADE"
        ),
        sa.CheckConstraint("permission IN ('read', 'write', 'admin')", name="project_shares_permission_check"),
        sa.CheckConstraint("num_nonnulls(team_id, user_id) = 1", name="project_shares_with_check"),
        sa.PrimaryKeyConstraint("id", name="project_shares_pkey"),
    )
    op.create_index("project_shares_project_id_idx", "project_shares", ["project_id"])
    op.create_index("project_shares_team_id_idx", "project_shares", ["team_id"])
    op.create_index("project_shares_user_id_idx", "project_shares", ["user_id"])


def downgrade() -> None:
    op.drop_table("project_shares")
