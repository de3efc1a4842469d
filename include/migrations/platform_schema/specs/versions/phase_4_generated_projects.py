"""Generated projects and their files."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "specs_0004"
down_revision = "specs_0003"
branch_labels = None
depends_on = None
phase = 4


def upgrade() -> None:
    op.create_table(
        "generated_projects",
        sa.Column("id", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.BigInteger(), server_default="1", nullable=False),
        sa.Column("status", sa.Text(), server_default="pending", nullable=False),
        sa.Column("quality_score", sa.Numeric(), nullable=True),
        sa.Column("generated_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.ForeignKeyConstraint(
            ["project_id"], ["projects.id"], name="generated_projects_project_id_fkey", ondelete="CASCADE"
        ),
        sa.UniqueConstraint("project_id", "version", name="generated_projects_project_id_version_key"),
        sa.PrimaryKeyConstraint("id", name="generated_projects_pkey"),
    )
    op.create_table(
        "generated_files",
        sa.Column("id", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("generated_project_id", sa.Uuid(), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("language", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.ForeignKeyConstraint(
            ["generated_project_id"],
            ["generated_projects.id"],
            name="generated_files_generated_project_id_fkey",
            ondelete="CASCADE",
        ),
        sa.UniqueConstraint("generated_project_id", "path", name="generated_files_generated_project_id_path_key"),
        sa.PrimaryKeyConstraint("id", name="generated_files_pkey"),
    )


def downgrade() -> None:
    op.drop_table("generated_files")
    op.drop_table("generated_projects")
