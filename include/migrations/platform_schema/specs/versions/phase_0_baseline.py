"""Baseline: projects and their specifications, as they are."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "specs_0000"
down_revision = None
branch_labels = None
depends_on = None
phase = 0
irreversible = "the baseline is what was there before this history began"


def upgrade() -> None:
    op.create_table(
        "projects",
        sa.Column("id", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("status", sa.Text(), server_default="active", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name="projects_pkey"),
        if_not_exists=True,
    )
    op.create_table(
        "specifications",
        sa.Column("id", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("category", sa.Text(), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("confidence", sa.Numeric(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["project_id"], ["projects.id"], name="specifications_project_id_fkey", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="specifications_pkey"),
        if_not_exists=True,
    )


def downgrade() -> None:
    raise RuntimeError(f"revision {revision}: {irreversible}")
