"""Stores that hold a migration's sample, each a copy of one that was filled once in the session."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any
from unittest.mock import patch

from include.embedded import dynamodb, postgres
from include.migrations.kpi_linking import sample as kpi_sample
from include.trueup.stores.postgres import PostgresStore
from tests.harness import HOME, fastest_engine, few_rows, new_database, store_at

Size = Callable[[], AbstractContextManager[Any]]
"""What is in force while a sample is filled: `whole`, `few`, `tiny`."""
whole, few = nullcontext, few_rows


@contextmanager
def tiny() -> Iterator[None]:
    """While the block runs, the sample of kpi_linking is its first rows."""
    first = {table: rows[:60] for table, rows in kpi_sample.rows().items()}
    with patch.object(kpi_sample, "rows", lambda: first):
        yield


class Samples:
    """The session's samples. `sample` is the module of that name of a migration, of one with a single connection."""

    def __init__(self, server: postgres.Server, folder: Path) -> None:
        self._server, self._folder = server, folder
        self._databases: dict[str, str] = {}
        self._engines: dict[tuple[str, Size], Path] = {}
        self._numbers = itertools.count()

    def database(self, sample: Any) -> str:
        """The URI of a PostgreSQL database of its own with the sample."""
        if sample.__name__ not in self._databases:
            uri = new_database(self._server)
            sample.fill(lambda _: PostgresStore(uri))
            self._databases[sample.__name__] = uri.split("?")[0].rsplit("/", 1)[1]
        return new_database(self._server, like=self._databases[sample.__name__])

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
        mine = self._new_folder()
        shutil.copytree(self._engines[sample.__name__, size], mine, dirs_exist_ok=True)
        with dynamodb.dynoxide(dynamodb.free_port(), binary, file=mine / "db") as engine:
            yield engine
        shutil.rmtree(mine)

    def _new_folder(self) -> Path:
        made = self._folder / str(next(self._numbers))
        made.mkdir()
        return made


def _fill(sample: Any, size: Size, engine: dynamodb.Engine) -> None:
    with size():
        sample.fill(lambda _: store_at(engine.endpoint))
