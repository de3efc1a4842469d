"""Leases, each taking of a target with an epoch, in place of holds; until when a part's try was renewed."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_now = sa.text("clock_timestamp()")


def upgrade() -> None:
    op.create_table(
        "leases",
        sa.Column("epoch", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("holder", sa.Text(), nullable=True),
        sa.Column("waits", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("taken_at", sa.DateTime(timezone=True), server_default=_now, nullable=False),
        sa.Column("right_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_by", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["run_id"], ["trueup.runs.run_id"]),
        sa.PrimaryKeyConstraint("epoch"),
        schema="trueup",
    )
    op.create_index(
        "leases_one_a_target",
        "leases",
        ["target"],
        unique=True,
        schema="trueup",
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.create_index("leases_of_a_run", "leases", ["run_id"], schema="trueup")
    op.execute(
        "INSERT INTO trueup.leases (target, run_id, holder, taken_at, expires_at) "
        "SELECT target, run_id, holder, since, expires_at FROM trueup.holds"
    )
    op.drop_table("holds", schema="trueup")
    op.add_column("steps", sa.Column("holder", sa.Text(), nullable=True), schema="trueup")
    op.add_column("steps", sa.Column("renewed_at", sa.DateTime(timezone=True), nullable=True), schema="trueup")


def downgrade() -> None:
    op.drop_column("steps", "renewed_at", schema="trueup")
    op.drop_column("steps", "holder", schema="trueup")
    op.create_table(
        "holds",
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("holder", sa.Text(), nullable=True),
        sa.Column("since", sa.DateTime(timezone=True), server_default=_now, nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["trueup.runs.run_id"]),
        sa.PrimaryKeyConstraint("target"),
        schema="trueup",
    )
    op.execute(
        "INSERT INTO trueup.holds (target, run_id, holder, since, expires_at) "
        "SELECT target, run_id, holder, taken_at, expires_at FROM trueup.leases WHERE ended_at IS NULL"
    )
    op.drop_table("leases", schema="trueup")
