"""`make sample`: the dirty legacy tables of migrations, in the embedded stores and nowhere else."""

from __future__ import annotations

import importlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from graphlib import TopologicalSorter
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from .. import migrations, project
from ..trueup.errors import OptionsError
from . import connections, servers
from .home import Home
from .record import Record
from .settings import connection_variable

if TYPE_CHECKING:
    from ..trueup.stores import Store

Say = Callable[[str], None]
Resolve = Callable[[str], "Store"]


@dataclass(frozen=True, kw_only=True)
class Samples:
    """The samples of some migrations, in the order in which they are filled; `after`: the migrations that are to be run
    before a sample is filled.

    They go into embedded stores always: a sample is never put into a store of the environment's."""

    modules: Mapping[str, Any]
    after: Mapping[str, frozenset[str]]
    conn_ids: frozenset[str]

    @classmethod
    def of(cls, migration_ids: Sequence[str]) -> Samples:
        """Raises `OptionsError` for a migration that does not exist or has no sample."""
        modules = {migration_id: _sample_of(migration_id) for migration_id in migration_ids}
        after = {id: frozenset(getattr(module, "AFTER", ())) for id, module in modules.items()}
        order = TopologicalSorter({id: before & modules.keys() for id, before in after.items()}).static_order()
        needed = frozenset().union(*(connections.needed(id) for id in migration_ids))
        return cls(modules={id: modules[id] for id in order}, after=after, conn_ids=needed)

    def fill(self, migration_id: str, variables: Mapping[str, str], say: Say) -> None:
        """Fill the sample of one; `variables` are the environment variables that lead its connections to embedded stores."""
        began = time.monotonic()
        filled = self.modules[migration_id].fill(_resolve(variables))
        rows = f"{sum(filled.values()):,} rows in {len(filled)} tables"
        say(f"sample     {time.monotonic() - began:5.1f} s   {rows}")

    def waits(self, migration_id: str, variables: Mapping[str, str]) -> frozenset[str]:
        """The migrations that have to be run before the sample is filled, lest it stands in their way."""
        before = self.after[migration_id]
        return frozenset() if not before or self.modules[migration_id].ready(_resolve(variables)) else before


def elsewhere(embedded: frozenset[str], conn_ids: frozenset[str]) -> None:
    """Raise `OptionsError` where the stack that is up leads one of the connections to a store that is not embedded."""
    if astray := sorted(conn_ids - embedded):
        raise OptionsError(
            f"in the stack that is up, {', '.join(astray)} points to no embedded store, and a sample is put "
            "nowhere else: run `make down`, then the same command again"
        )


def sample(home: Home, given: Mapping[str, str], chosen: str, say: Say) -> None:
    """Fill the samples of one migration, or of all (`all`), into the embedded stores, started for it if need be.

    Raises `OptionsError` where the stack that is up uses other stores."""
    every = chosen == "all"
    samples = Samples.of(project.migration_ids() if every else [chosen])
    for conn_id in sorted(samples.conn_ids - connections.not_given(samples.conn_ids, given)):
        say(f"{connection_variable(conn_id)} is set, but a sample goes to the embedded store in its place.")
    with servers.in_use(
        home,
        given,
        need_postgres=connections.needs_postgres(samples.conn_ids),
        need_dynamodb=connections.needs_dynamodb(samples.conn_ids),
        say=say,
    ) as running:
        if servers.stack_is_up(home):
            elsewhere(frozenset(Record.load(home).embedded), samples.conn_ids)
        variables = connections.embedded(samples.conn_ids, running)
        for migration_id in samples.modules:
            if every and (before := samples.waits(migration_id, variables)):
                say(
                    f"{migration_id}: left out, since it builds on what {', '.join(sorted(before))} makes: run that first,"
                )
                say(f"    then `make sample MIGRATION={migration_id}`.")
                continue
            say(f"{migration_id}:")
            samples.fill(migration_id, variables, say)


def _resolve(variables: Mapping[str, str]) -> Resolve:
    return lambda conn_id: _store(variables[connection_variable(conn_id)])


def _sample_of(migration_id: str) -> Any:
    if migration_id not in project.migration_ids():
        known = ", ".join(project.migration_ids()) or "none"
        raise OptionsError(f"there is no migration {migration_id!r}; this project has: {known}")
    name = f"{migrations.__name__}.{migration_id}.sample"
    if find_spec(name) is None:
        raise OptionsError(
            f"migration {migration_id!r} has no sample: write {name.replace('.', '/')}.py, function fill"
        )
    return importlib.import_module(name)


def _store(connection: str) -> Store:
    """The store behind a connection that `settings` wrote, as JSON."""
    described = json.loads(connection)
    if described["conn_type"] == "aws":
        from ..trueup.stores.dynamodb import DynamoDBStore, client

        keys = {"aws_access_key_id": described["login"], "aws_secret_access_key": described["password"]}
        return DynamoDBStore(client(**described["extra"], **keys))
    from ..trueup.stores.postgres import PostgresStore

    return PostgresStore(f"postgresql://{described['login']}@/{described['schema']}?host={described['host']}")
