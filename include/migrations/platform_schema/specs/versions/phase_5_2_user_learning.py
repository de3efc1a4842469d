"""What is learned of users, and the documents that they know."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "specs_0005b"
down_revision = "specs_0005a"
branch_labels = None
depends_on = None
phase = 5


def upgrade() -> None:
    op.create_table(
        "user_behavior_patterns",
        sa.Column("id", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("pattern_type", sa.Text(), nullable=False),
        sa.Column("pattern", postgresql.JSONB(), nullable=False),
        sa.Column("confidence", sa.Numeric(), nullable=True),
        sa.Column("learned_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=True),
        sa.UniqueConstraint("user_id", "pattern_type", name="user_behavior_patterns_user_id_pattern_type_key"),
        sa.PrimaryKeyConstraint("id", name="user_behavior_patterns_pkey"),
    )
    op.create_table(
        "question_effectiveness",
        sa.Column("id", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("question_template", sa.Text(), nullable=False),
        sa.Column("times_asked", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("times_answered_well", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("effectiveness", sa.Numeric(), nullable=True),
        sa.Column("last_asked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=True),
        sa.UniqueConstraint(
            "user_id", "question_template", name="question_effectiveness_user_id_question_template_key"
        ),
        sa.PrimaryKeyConstraint("id", name="question_effectiveness_pkey"),
    )
    op.create_table(
        "knowledge_base_documents",
        sa.Column("id", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("project_id", sa.Uuid(), nullable=True),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("filename", sa.Text(), nullable=False),
        sa.Column("content_type", sa.Text(), nullable=True),
        sa.Column("content", sa.Text(), nullable=True),
        sa.Column("uploaded_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.ForeignKeyConstraint(
            ["project_id"], ["projects.id"], name="knowledge_base_documents_project_id_fkey", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="knowledge_base_documents_pkey"),
    )
    op.create_index("knowledge_base_documents_project_id_idx", "knowledge_base_documents", ["project_id"])
    op.create_index("knowledge_base_documents_user_id_idx", "knowledge_base_documents", ["user_id"])


def downgrade() -> None:
    op.drop_table("knowledge_base_documents")
    op.drop_table("question_effectiveness")
    op.drop_table("user_behavior_patterns")
