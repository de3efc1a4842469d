"""Alembic's environment for the ledger: always on a connection that `Ledger.upgrade` gives."""

from __future__ import annotations

from alembic import context

from include.trueup.ledger.tables import SCHEMA, metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table="ledger_version",
    version_table_schema=SCHEMA,
    include_schemas=True,
)
with context.begin_transaction():
    context.run_migrations()
