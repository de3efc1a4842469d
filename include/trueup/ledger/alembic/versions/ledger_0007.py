"""Comparisons of the old way and the new: what each found, which a cutover asks for."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "comparisons",
        sa.Column("run_id", sa.Text, primary_key=True),
        sa.Column("migration_id", sa.Text, nullable=False, index=True),
        sa.Column("comparison_id", sa.Text, nullable=False),
        sa.Column("begun_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.clock_timestamp()),
        sa.Column("ended_at", sa.DateTime(timezone=True)),
        sa.Column("compared", sa.BigInteger),
        sa.Column("differences", sa.BigInteger),
        sa.Column("whole", sa.Boolean),
        sa.Column("sha256", sa.Text),
        schema="trueup",
    )


def downgrade() -> None:
    op.drop_table("comparisons", schema="trueup")
