"""Baseline: the users of the platform, as they are."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "auth_0000"
down_revision = None
branch_labels = None
depends_on = None
phase = 0
irreversible = "the baseline is what was there before this history began"


def upgrade() -> None:
    op.create_table(
        "users",
        sa.Column("id", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=True),
        sa.Column("full_name", sa.Text(), nullable=True),
        sa.Column("is_active", sa.Boolean(), server_default=sa.true(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=True),
        sa.UniqueConstraint("email", name="users_email_key"),
        sa.PrimaryKeyConstraint("id", name="users_pkey"),
        if_not_exists=True,
    )


def downgrade() -> None:
    raise RuntimeError(f"revision {revision}: {irreversible}")
