"""Alembic's environment of a history, for those who call `alembic` themselves: its `env.py` calls `run`.

The DAG does not use it: it runs each revision on a connection of its own.
"""

from __future__ import annotations

import os

import sqlalchemy as sa
from alembic import context


def run(variable: str) -> None:
    """Run what `alembic` was asked for, each revision in a transaction of its own. `variable` is the environment variable
    with the database's SQLAlchemy URL, unless the configuration has one (`sqlalchemy.url`)."""
    url = context.config.get_main_option("sqlalchemy.url") or os.environ.get(variable)
    if context.is_offline_mode():
        context.configure(url=url, dialect_name="postgresql", literal_binds=True, transaction_per_migration=True)
        with context.begin_transaction():
            context.run_migrations()
        return
    if not url:
        raise SystemExit(f"set {variable} to the database's SQLAlchemy URL")
    with sa.create_engine(url, poolclass=sa.NullPool).connect() as connection:
        context.configure(connection=connection, transaction_per_migration=True)
        with context.begin_transaction():
            context.run_migrations()
