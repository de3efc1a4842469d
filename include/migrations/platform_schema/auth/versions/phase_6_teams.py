"""Teams, their members, and invitations to them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "auth_0006"
down_revision = "auth_0003"
branch_labels = None
depends_on = None
phase = 6


def upgrade() -> None:
    op.create_table(
        "teams",
        sa.Column("id", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("owner_id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["owner_id"], ["users.id"], name="teams_owner_id_fkey"),
        sa.PrimaryKeyConstraint("id", name="teams_pkey"),
    )
    op.create_index("teams_owner_id_idx", "teams", ["owner_id"])
    op.create_table(
        "team_members",
        sa.Column("team_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("role", sa.Text(), server_default="member", nullable=False),
        sa.Column("joined_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.ForeignKeyConstraint(["team_id"], ["teams.id"], name="team_members_team_id_fkey", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="team_members_user_id_fkey", ondelete="CASCADE"),
        sa.CheckConstraint("role IN ('owner', 'admin', 'member')", name="team_members_role_check"),
        sa.PrimaryKeyConstraint("team_id", "user_id", name="team_members_pkey"),
    )
    op.create_index("team_members_user_id_idx", "team_members", ["user_id"])
    op.create_table(
        "team_invitations",
        sa.Column("id", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("team_id", sa.Uuid(), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), server_default="member", nullable=False),
        sa.Column("token_sha256", sa.Text(), nullable=False),
        sa.Column("invited_by", sa.Uuid(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("accepted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.ForeignKeyConstraint(["team_id"], ["teams.id"], name="team_invitations_team_id_fkey", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["invited_by"], ["users.id"], name="team_invitations_invited_by_fkey"),
        sa.CheckConstraint("role IN ('admin', 'member')", name="team_invitations_role_check"),
        sa.UniqueConstraint("token_sha256", name="team_invitations_token_sha256_key"),
        sa.PrimaryKeyConstraint("id", name="team_invitations_pkey"),
    )
    op.create_index("team_invitations_team_id_idx", "team_invitations", ["team_id"])


def downgrade() -> None:
    op.drop_table("team_invitations")
    op.drop_table("team_members")
    op.drop_table("teams")
