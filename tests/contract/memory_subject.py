"""The twins in memory under the contract suite."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import pytest

from include.trueup.declare.migration import Index, Table, Type
from include.trueup.rows.values import canonical_json
from tests.simulation.twins import DOCUMENTS, POSTGRES, MemoryStore, Server

from .dynamodb_subject import DynamoDBSubject
from .subject import Row

_names = itertools.count()


class MemorySubject:
    """A `Subject` in this process."""

    secret = "there-is-none"

    def __init__(self, *, documents: bool) -> None:
        self._documents, self._server = documents, Server("contract")
        self.store = MemoryStore(self._server, DOCUMENTS if documents else POSTGRES)
        self.types = DynamoDBSubject.types if documents else tuple(Type)

    def table(self, columns: Mapping[str, Type], key: tuple[str, ...], indexes: tuple[Index, ...] = ()) -> Table:
        """A declaration with a new name."""
        return Table(name=f"t{next(_names)}", connection="contract", key=key, columns=columns, indexes=indexes)

    def put(self, table: Table, rows: Sequence[Row]) -> None:
        """Into the table itself."""
        self._server.tables[table.name].put(rows)

    def json(self, value: Any) -> str:
        """As the store's kind writes it."""
        return DynamoDBSubject.json(self, value) if self._documents else canonical_json(json.dumps(value))  # type: ignore[arg-type]


@contextmanager
def relational(_: pytest.FixtureRequest) -> Iterator[MemorySubject]:
    """A subject like PostgreSQL."""
    yield MemorySubject(documents=False)


@contextmanager
def documents(_: pytest.FixtureRequest) -> Iterator[MemorySubject]:
    """A subject like DynamoDB."""
    yield MemorySubject(documents=True)
