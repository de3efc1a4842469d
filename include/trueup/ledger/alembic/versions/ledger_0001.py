"""The first ledger: runs, transitions, steps, batches, holds."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "runs",
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("migration_id", sa.Text(), nullable=False),
        sa.Column("dag_id", sa.Text(), nullable=False),
        sa.Column("triggered_by", sa.Text(), nullable=True),
        sa.Column("options", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("plan_sha256", sa.Text(), nullable=True),
        sa.Column(
            "started_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("run_id"),
        schema="trueup",
    )
    op.create_index(op.f("ix_trueup_runs_migration_id"), "runs", ["migration_id"], unique=False, schema="trueup")
    op.create_table(
        "batches",
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("phase", sa.Text(), nullable=False),
        sa.Column("partition", sa.Integer(), nullable=False),
        sa.Column("batch", sa.Integer(), nullable=False),
        sa.Column("rows", sa.Integer(), nullable=False),
        sa.Column("written", sa.Integer(), nullable=False),
        sa.Column("conflicts", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("retries", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["run_id"],
            ["trueup.runs.run_id"],
        ),
        sa.PrimaryKeyConstraint("run_id", "phase", "partition", "batch"),
        schema="trueup",
    )
    op.create_table(
        "holds",
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("holder", sa.Text(), nullable=True),
        sa.Column("since", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["run_id"],
            ["trueup.runs.run_id"],
        ),
        sa.PrimaryKeyConstraint("target"),
        schema="trueup",
    )
    op.create_table(
        "steps",
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("step", sa.Text(), nullable=False),
        sa.Column("part", sa.Text(), nullable=False),
        sa.Column("tries", sa.Integer(), server_default="1", nullable=False),
        sa.Column(
            "started_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("error_class", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["run_id"],
            ["trueup.runs.run_id"],
        ),
        sa.PrimaryKeyConstraint("run_id", "step", "part"),
        schema="trueup",
    )
    op.create_table(
        "transitions",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.Column("from_status", sa.Text(), nullable=True),
        sa.Column("to_status", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["run_id"],
            ["trueup.runs.run_id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        schema="trueup",
    )
    op.create_index(op.f("ix_trueup_transitions_run_id"), "transitions", ["run_id"], unique=False, schema="trueup")


def downgrade() -> None:
    op.drop_index(op.f("ix_trueup_transitions_run_id"), table_name="transitions", schema="trueup")
    op.drop_table("transitions", schema="trueup")
    op.drop_table("steps", schema="trueup")
    op.drop_table("holds", schema="trueup")
    op.drop_table("batches", schema="trueup")
    op.drop_index(op.f("ix_trueup_runs_migration_id"), table_name="runs", schema="trueup")
    op.drop_table("runs", schema="trueup")
