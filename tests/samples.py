"""Stores that hold a migration's sample, each a copy of one that was filled once in the session."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from include.embedded import dynamodb, postgres
from include.trueup.declare.migration import Migration
from include.trueup.ledger import Ledger
from include.trueup.run.workspace import Workspace
from include.trueup.stores.postgres import PostgresStore
from include.trueup.walk import walk
from tests.harness import HOME, fastest_engine, few_rows, keeping_databases, new_database, run_of, store_at

Size = Callable[[], AbstractContextManager[Any]]
"""What is in force while a sample is filled: `whole`, or `few` rows."""
whole, few = nullcontext, few_rows


@dataclass(frozen=True, kw_only=True)
class Migrated:
    """What a first run of a migration over its sample has left; its id is `first`. `uri` is a PostgreSQL database's."""

    store: Any
    uri: str = ""
    ledger: Ledger
    workspace: Workspace


class Samples:
    """The session's samples. `sample` is the module of that name of a migration, of one with a single connection."""

    def __init__(self, server: postgres.Server, ledger: str, folder: Path) -> None:
        self._server, self._ledger, self._folder = server, ledger, folder
        self._databases: dict[str, str] = {}
        self._together: dict[str, dict[str, str]] = {}
        self._engines: dict[tuple[str, Size], Path] = {}
        self._migrated: dict[tuple[str, Size], tuple[str, Path, str | Path]] = {}
        self._numbers = itertools.count()

    def database(self, sample: Any) -> str:
        """The URI of a PostgreSQL database of its own with the sample."""
        if sample.__name__ not in self._databases:
            uri = new_database(self._server, kept=True)
            sample.fill(lambda _: PostgresStore(uri))
            self._databases[sample.__name__] = _name(uri)
        return new_database(self._server, like=self._databases[sample.__name__])

    def databases(self, sample: Any, connections: Iterable[str]) -> dict[str, str]:
        """URIs of PostgreSQL databases of their own with the sample of a migration that has several, by connection."""
        if sample.__name__ not in self._together:
            uris = {connection: new_database(self._server, kept=True) for connection in connections}
            sample.fill(lambda connection: PostgresStore(uris[connection]))
            self._together[sample.__name__] = {connection: _name(uri) for connection, uri in uris.items()}
        filled = self._together[sample.__name__]
        return {connection: new_database(self._server, like=name) for connection, name in filled.items()}

    @contextmanager
    def engine(self, sample: Any, size: Size = whole) -> Iterator[dynamodb.Engine]:
        """A DynamoDB engine of its own with the sample, of that size. What can keep no file is filled each time."""
        binary = dynamodb.find_dynoxide(HOME)
        if binary is None:
            with fastest_engine() as engine:
                _fill(sample, size, engine)
                yield engine
            return
        if (sample.__name__, size) not in self._engines:
            filled = self._new_folder()
            with dynamodb.dynoxide(dynamodb.free_port(), binary, file=filled / "db") as engine:
                _fill(sample, size, engine)
            self._engines[sample.__name__, size] = filled
        with self._engine_on(self._copied(self._engines[sample.__name__, size])) as engine:
            yield engine

    @contextmanager
    def migrated(self, migration: Migration, sample: Any, size: Size = whole) -> Iterator[Migrated]:
        """Store, ledger and workspace after a first run, in one part, for this block alone."""
        with ExitStack() as opened:
            if (migration.id, size) not in self._migrated:
                made = self._migrate(migration, sample, size, opened)
                if isinstance(made, Migrated):
                    yield made
                    return
                self._migrated[migration.id, size] = made
            ledger_name, folder, kept = self._migrated[migration.id, size]
            store: Any
            uri = ""
            if isinstance(kept, str):
                store = PostgresStore(uri := new_database(self._server, like=kept))
            else:
                store = store_at(opened.enter_context(self._engine_on(self._copied(kept))).endpoint)
            ledger = Ledger(new_database(self._server, like=ledger_name))
            opened.callback(ledger.close)
            yield Migrated(store=store, uri=uri, ledger=ledger, workspace=Workspace(str(self._copied(folder))))

    def _migrate(
        self, migration: Migration, sample: Any, size: Size, opened: ExitStack
    ) -> Migrated | tuple[str, Path, str | Path]:
        """Names and places of ledger, workspace and store after the first run; or these themselves, for as long as `opened`
        is, where the engine keeps no file."""
        ledger_uri, folder = new_database(self._server, like=self._ledger, kept=True), self._new_folder()
        ledger = Ledger(ledger_uri)
        opened.callback(ledger.close)

        def first(store: Any) -> Migrated:
            there = Migrated(store=store, ledger=ledger, workspace=Workspace(str(folder)))
            assert walk(run_of(migration, ledger, there.workspace, lambda _: store, "first")).status == "passed"
            return there

        if all(target.table.connection.endswith("postgres") for target in migration.targets):
            with keeping_databases():
                uri = self.database(sample)
            first(PostgresStore(uri))
            ledger.close()
            return _name(ledger_uri), folder, _name(uri)
        if dynamodb.find_dynoxide(HOME) is None:
            return first(store_at(opened.enter_context(self.engine(sample, size)).endpoint))
        with self.engine(sample, size):
            pass  # so that it is filled
        kept = self._copied(self._engines[sample.__name__, size])
        with self._engine_on(kept) as engine:
            first(store_at(engine.endpoint))
        ledger.close()
        return _name(ledger_uri), folder, kept

    @contextmanager
    def _engine_on(self, folder: Path) -> Iterator[dynamodb.Engine]:
        binary = dynamodb.find_dynoxide(HOME)
        assert binary is not None
        with dynamodb.dynoxide(dynamodb.free_port(), binary, file=folder / "db") as engine:
            yield engine

    def _copied(self, folder: Path) -> Path:
        return shutil.copytree(folder, self._new_folder(), dirs_exist_ok=True)

    def _new_folder(self) -> Path:
        made = self._folder / str(next(self._numbers))
        made.mkdir()
        return made


def _name(uri: str) -> str:
    """The name of the database of that URI."""
    return uri.split("?")[0].rsplit("/", 1)[1]


def _fill(sample: Any, size: Size, engine: dynamodb.Engine) -> None:
    with size():
        sample.fill(lambda _: store_at(engine.endpoint))
