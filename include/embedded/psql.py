"""`make psql ON=crm_postgres`: psql in the embedded database that a connection leads to, to make tables and to look at them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Mapping

from ..trueup.errors import OptionsError
from . import connections, servers
from .home import Home
from .postgres import binaries
from .settings import connection_variable


def _say() -> Callable[[str], None] | None:
    """What tells a person at a terminal what is waited for; a script reads nothing but what psql prints."""
    return (lambda line: print(line, file=sys.stderr, flush=True)) if sys.stderr.isatty() else None


def psql(home: Home, given: Mapping[str, str], conn_id: str) -> int:
    """Run it on what this process reads from, a script or a person; psql's exit status (3: a statement of a script failed).

    Raises `OptionsError` for a connection that leads to no embedded PostgreSQL."""
    variable = connection_variable(conn_id)
    if not connections.needs_postgres([conn_id]):
        meant = (
            f"make dynamodb ON={conn_id}" if connections.needs_dynamodb([conn_id]) else connections.like(conn_id, given)
        )
        raise OptionsError(f"{conn_id!r} is no connection to PostgreSQL, whose ids end in _postgres; {meant}")
    if not connections.not_given([conn_id], given):
        raise OptionsError(f"{variable} is set, so {conn_id} is no embedded database: use the psql of its own server")
    with servers.in_use(home, given, need_postgres=True, need_dynamodb=False, say=_say()) as running:
        connections.embedded([conn_id], running)  # makes the database
        assert running.postgres is not None
        # -P pager=off: what is shown is short, and `less` may not be there
        options = ["-X", "-q", "-P", "pager=off", *([] if sys.stdin.isatty() else ["-v", "ON_ERROR_STOP=1"])]
        uri = running.postgres.uri(connections.database_of(conn_id))
        return subprocess.run([binaries() / "psql", *options, uri], check=False).returncode
