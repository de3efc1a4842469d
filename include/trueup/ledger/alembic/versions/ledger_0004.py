"""What a plan was applied, gated and approved under; Airflow's own id of a run; how often a run began."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("runs", sa.Column("airflow_run_id", sa.Text(), nullable=True), schema="trueup")
    op.add_column("runs", sa.Column("attempt", sa.Integer(), server_default="1", nullable=False), schema="trueup")
    op.add_column("runs", sa.Column("plan_files_sha256", sa.Text(), nullable=True), schema="trueup")
    op.add_column("runs", sa.Column("asked_sha256", sa.Text(), nullable=True), schema="trueup")
    op.add_column("steps", sa.Column("attempt", sa.Integer(), server_default="1", nullable=False), schema="trueup")
    op.add_column("steps", sa.Column("plan_sha256", sa.Text(), nullable=True), schema="trueup")
    op.add_column("batches", sa.Column("attempt", sa.Integer(), server_default="1", nullable=False), schema="trueup")
    op.add_column("batches", sa.Column("plan_sha256", sa.Text(), server_default="", nullable=False), schema="trueup")
    op.create_table(
        "plans",
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("plan_sha256", sa.Text(), nullable=False),
        sa.Column("plan_files_sha256", sa.Text(), nullable=True),
        sa.Column("options", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["trueup.runs.run_id"]),
        sa.PrimaryKeyConstraint("run_id", "attempt", "plan_sha256"),
        schema="trueup",
    )
    op.execute(
        "INSERT INTO trueup.plans (run_id, attempt, plan_sha256, options, at) "
        "SELECT run_id, attempt, plan_sha256, options, coalesce(planned_at, started_at) FROM trueup.runs "
        "WHERE plan_sha256 IS NOT NULL"
    )
    # what there is so far was done for the only plan that its run has
    for table in ("steps", "batches"):
        op.execute(
            f"UPDATE trueup.{table} SET plan_sha256 = runs.plan_sha256 FROM trueup.runs "
            f"WHERE runs.run_id = {table}.run_id AND runs.plan_sha256 IS NOT NULL"
        )
    _key("batches", ["run_id", "attempt", "plan_sha256", "phase", "partition", "batch"])
    _key("approvals", ["run_id", "plan_sha256"])


def downgrade() -> None:
    # of what was done for several plans of a run, only what belongs to the last one has a place there
    op.execute(
        "DELETE FROM trueup.batches USING trueup.runs WHERE runs.run_id = batches.run_id AND "
        "(batches.attempt, batches.plan_sha256) <> (runs.attempt, coalesce(runs.plan_sha256, ''))"
    )
    op.execute(
        "DELETE FROM trueup.approvals a USING trueup.approvals later WHERE later.run_id = a.run_id "
        "AND (later.decided_at, later.plan_sha256) > (a.decided_at, a.plan_sha256)"
    )
    _key("approvals", ["run_id"])
    _key("batches", ["run_id", "phase", "partition", "batch"])
    op.drop_table("plans", schema="trueup")
    for table, columns in (
        ("batches", ("plan_sha256", "attempt")),
        ("steps", ("plan_sha256", "attempt")),
        ("runs", ("asked_sha256", "plan_files_sha256", "attempt", "airflow_run_id")),
    ):
        for column in columns:
            op.drop_column(table, column, schema="trueup")


def _key(table: str, columns: list[str]) -> None:
    op.drop_constraint(f"{table}_pkey", table, schema="trueup", type_="primary")
    op.create_primary_key(f"{table}_pkey", table, columns, schema="trueup")
