"""The extension vector, where it is not there yet; going down, it goes if this revision brought it."""

from __future__ import annotations

from alembic import op

revision = "specs_0005a"
down_revision = "specs_0004"
branch_labels = None
depends_on = None
phase = 5

MARK = "brought by revision specs_0005a"


def upgrade() -> None:
    op.execute(
        f"""
        DO $$ BEGIN
            IF NOT EXISTS (SELECT FROM pg_extension WHERE extname = 'vector') THEN
                CREATE EXTENSION vector;
                COMMENT ON EXTENSION vector IS '{MARK}';
            END IF;
        END $$
        """
    )


def downgrade() -> None:
    op.execute(
        f"""
        DO $$ BEGIN
            IF EXISTS (SELECT FROM pg_extension WHERE extname = 'vector' AND obj_description(oid, 'pg_extension') = '{MARK}') THEN
                DROP EXTENSION vector;
            END IF;
        END $$
        """
    )
