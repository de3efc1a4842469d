"""`make new`: reads the catalogues of two tables by Airflow's connections, and writes the files of a migration between them.

`python -m trueup_airflow.process.new_migration <id> <connection:table> <connection:table> [<key> [<owned>]]`."""

from __future__ import annotations

import sys
from pathlib import Path

from include.console.new import Place, files, named, write
from include.trueup.declare.names import one_of
from include.trueup.errors import OptionsError, TrueupError
from trueup_airflow.connections import open_store

ROOT = Path(__file__).parent.parent.parent.parent


def main(migration_id: str, source: str, target: str, key: str = "", owned: str = "") -> int:
    """Write the files; the exit status: 0, or 1 where nothing was written. `key`: columns that tell the source's rows apart; `owned`:
    those that change in place."""
    came_from, goes_to = Place.of(source), Place.of(target)
    store = open_store(came_from.connection)
    legacy = store.catalogue(came_from.table)
    if legacy is None:
        raise OptionsError(
            f"there is no table {came_from.table!r} behind connection {came_from.connection!r}; "
            f"{one_of(came_from.table, store.tables())}"
        )
    existing = open_store(goes_to.connection).catalogue(goes_to.table)
    written = files(migration_id, (came_from, legacy), (goes_to, existing), key=named(key), owned=named(owned))
    write(ROOT, written)
    say = [*written.files, *(f"Left to you: {each}" for each in written.left)]
    if written.nulls:
        say.append(f"Null so far: {', '.join(written.nulls)} of {goes_to.table}")
    if written.unread:
        say.append(f"Brought nowhere so far: {', '.join(written.unread)} of {came_from.table}")
    sys.stdout.write("\n".join([*say, f"Next: make check ID={migration_id}", ""]))
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(*sys.argv[1:]))
    except TrueupError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(2 if isinstance(error, OptionsError) else 1)
