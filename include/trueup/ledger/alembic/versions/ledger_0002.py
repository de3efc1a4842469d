"""Approvals, turns of the switch, and which run a rollback undoes."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_now = sa.text("clock_timestamp()")


def upgrade() -> None:
    op.add_column("runs", sa.Column("planned_at", sa.DateTime(timezone=True), nullable=True), schema="trueup")
    op.add_column("runs", sa.Column("undoes", sa.Text(), nullable=True), schema="trueup")
    op.create_foreign_key(
        "runs_undoes_fkey", "runs", "runs", ["undoes"], ["run_id"], source_schema="trueup", referent_schema="trueup"
    )
    op.create_table(
        "approvals",
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("plan_sha256", sa.Text(), nullable=False),
        sa.Column("decision", sa.Text(), nullable=False),
        sa.Column("decided_by", sa.Text(), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), server_default=_now, nullable=False),
        sa.Column("comment", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["run_id"], ["trueup.runs.run_id"]),
        sa.PrimaryKeyConstraint("run_id"),
        schema="trueup",
    )
    op.create_table(
        "turns",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("migration_id", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), server_default=_now, nullable=False),
        sa.Column("from_state", sa.Text(), nullable=False),
        sa.Column("to_state", sa.Text(), nullable=False),
        sa.Column("turned_by", sa.Text(), nullable=True),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("proof_run_id", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["proof_run_id"], ["trueup.runs.run_id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("run_id"),
        schema="trueup",
    )
    op.create_index(op.f("ix_trueup_turns_migration_id"), "turns", ["migration_id"], unique=False, schema="trueup")


def downgrade() -> None:
    op.drop_index(op.f("ix_trueup_turns_migration_id"), table_name="turns", schema="trueup")
    op.drop_table("turns", schema="trueup")
    op.drop_table("approvals", schema="trueup")
    op.drop_constraint("runs_undoes_fkey", "runs", schema="trueup", type_="foreignkey")
    op.drop_column("runs", "undoes", schema="trueup")
    op.drop_column("runs", "planned_at", schema="trueup")
