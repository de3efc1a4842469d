"""`make try`: reads a few rows by Airflow's connections and shows what a migration makes of them.

`python -m trueup_airflow.process.try_rows <id> <rows> <whole, or nothing>`."""

from __future__ import annotations

import signal
import sys

from include.console.tryout import try_out
from include.project import load_migration
from include.trueup.declare import Migration
from include.trueup.errors import OptionsError, TrueupError
from trueup_airflow.connections import open_store


def main(migration_id: str, rows: str, whole: str) -> int:
    """Show it; the exit status."""
    migration = load_migration(migration_id)
    if not isinstance(migration, Migration):
        raise OptionsError(
            f"{migration_id} changes schemas and moves no rows; trigger it with mode plan to see what it would do"
        )
    tables = [*(source.table for source in migration.sources), *(target.table for target in migration.targets)]
    stores = {each: open_store(each) for each in {table.connection for table in tables}}
    for line in try_out(migration, stores, int(rows), whole=bool(whole)):
        sys.stdout.write(f"{line}\n")
    return 0


if __name__ == "__main__":
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # `make try … | head` ends where head does
    try:
        sys.exit(main(*sys.argv[1:]))
    except TrueupError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(2 if isinstance(error, OptionsError) else 1)
