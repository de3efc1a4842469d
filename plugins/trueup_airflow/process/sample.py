"""The dirty legacy tables of migrations, in stores that the installation has of its own, by Airflow's connections.

`python -m trueup_airflow.process.sample [migration id …]`; all of them without an id. `TRUEUP_SAMPLE_HOSTS` names the hosts of
those stores (docker-compose.yaml: its services): a sample goes to no other, whatever a connection says.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Iterable
from types import ModuleType
from urllib.parse import urlsplit

from airflow.sdk import BaseHook

from include import project
from include.trueup.errors import OptionsError, TrueupError
from trueup_airflow import connections

HOSTS = "TRUEUP_SAMPLE_HOSTS"


def main(ids: Iterable[str]) -> int:
    """Fill them; the exit status: 0, or 2 where one was asked for that cannot be filled."""
    known = project.migration_ids()
    try:
        for id in ids or known:
            if id not in known:
                raise OptionsError(f"there is no migration {id!r}; this project has: {', '.join(known)}")
            _fill(id)
    except TrueupError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def _fill(id: str) -> None:
    for conn_id in sorted(project.load_migration(id).connections):
        own(conn_id)
    sample = importlib.import_module(f"include.migrations.{id}.sample")
    if after := _waits(sample):
        print(f"{id}: left out, since it builds on what {', '.join(after)} makes: run that first, then this again")
        return
    filled = sample.fill(connections.open_store)
    print(f"{id}: {sum(filled.values()):,} rows in {len(filled)} tables")


def _waits(sample: ModuleType) -> tuple[str, ...]:
    after: tuple[str, ...] = getattr(sample, "AFTER", ())
    return () if not after or sample.ready(connections.open_store) else after


def own(conn_id: str) -> None:
    """Raise `OptionsError` unless the connection leads to a store of the installation's own."""
    connection = BaseHook.get_connection(conn_id)
    given = connection.extra_dejson
    host = urlsplit(given.get("endpoint_url") or "").hostname if connection.conn_type == "aws" else connection.host
    elsewhere = {"host", "hostaddr", "service", "service_config", "sqlalchemy_query"} & given.keys()
    if elsewhere or host not in (hosts := [each for each in os.environ.get(HOSTS, "").split(",") if each]):
        raise OptionsError(
            f"connection {conn_id!r} leads to {host or 'a store'} that is not of this installation's own "
            f"({HOSTS}: {', '.join(hosts) if not elsewhere and hosts else 'none'}), and a sample is put nowhere else. "
            "Nothing was written there"
        )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
