"""`make check`: looks at the tables of a migration by Airflow's connections, and prints what a run would refuse of them.

`python -m trueup_airflow.process.check_tables <id> <connection> …`."""

from __future__ import annotations

import sys
from pathlib import Path

from include import migrations
from include.console.tables import tables
from include.project import load_migration
from include.trueup.declare import Migration
from include.trueup.errors import TrueupError
from trueup_airflow.connections import open_store


def main(migration_id: str, *conn_ids: str) -> int:
    """Print the problems, a line each; the exit status: 0, or 1 where there is one."""
    migration = load_migration(migration_id)
    if not isinstance(migration, Migration):
        return 0
    stores = {conn_id: open_store(conn_id) for conn_id in conn_ids}
    problems = [*tables(migration, stores, Path(migrations.__path__[0]) / migration_id)]
    sys.stdout.write("".join(f"{problem}\n" for problem in problems))
    return 1 if problems else 0


if __name__ == "__main__":
    try:
        sys.exit(main(*sys.argv[1:]))
    except TrueupError as error:
        sys.stdout.write(f"{error}\n")
        sys.exit(1)
