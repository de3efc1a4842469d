"""The twins of the stores, in memory, under the contract suite: what the simulation runs on answers as the real ones do."""

from __future__ import annotations

import base64
import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import pytest

from include.trueup.declare.migration import Index, Table, Type
from include.trueup.rows.values import canonical_json, canonical_number
from include.trueup.stores import Store
from include.trueup.stores.dynamodb.items import canonical_item
from tests.simulation.twins import DocumentTwin, RelationalTwin
from tests.simulation.twins.rows import plain

from .dynamodb_subject import DynamoDBSubject, typed_item
from .subject import Row, arrow

_names = itertools.count()


class RelationalSubject:
    """A `Subject` on the twin of PostgreSQL."""

    secret = "a-secret-password"
    types = tuple(Type)

    def __init__(self) -> None:
        self.twin = RelationalTwin(name="contract")
        self.store: Store = self.twin

    def table(self, columns: Mapping[str, Type], key: tuple[str, ...], indexes: tuple[Index, ...] = ()) -> Table:
        """A declaration with a new name."""
        name = f"contract_{next(_names)}.t"
        return Table(name=name, connection="contract", key=key, columns=columns, indexes=indexes)

    def put(self, table: Table, rows: Sequence[Row]) -> None:
        """Insert or replace rows in the twin's dictionary."""
        held = self.twin.database.find(table)
        assert held is not None
        for row in plain(table, arrow(table, [_canonical(table, row) for row in rows])):
            held.rows[held.key_of(row)] = {name: row[name] for name in table.columns}

    def json(self, value: Any) -> str:
        """Plain JSON."""
        return canonical_json(json.dumps(value))


class DocumentSubject:
    """A `Subject` on the twin of DynamoDB."""

    secret = "a-secret-access-key"
    types = DynamoDBSubject.types
    json = DynamoDBSubject.json

    def __init__(self) -> None:
        self.twin = DocumentTwin(name="contract")
        self.store: Store = self.twin

    def table(self, columns: Mapping[str, Type], key: tuple[str, ...], indexes: tuple[Index, ...] = ()) -> Table:
        """A declaration with a new name."""
        return Table(name=f"contract-{next(_names)}", connection="contract", key=key, columns=columns, indexes=indexes)

    def put(self, table: Table, rows: Sequence[Row]) -> None:
        """Put items into the server's table."""
        for row in rows:
            self.twin.documents.tables[table.name].put(_sent(typed_item(table, row)))


def _sent(item: dict[str, Any]) -> dict[str, Any]:
    """An item as boto3 sends it: bytes are base64, and a number is as DynamoDB keeps it."""
    text = json.dumps(item, default=lambda content: base64.b64encode(content).decode())
    return canonical_item(json.loads(text))


def _canonical(table: Table, row: Row) -> Row:
    """A row with numbers and JSON in canonical form."""
    forms = {Type.NUMBER: canonical_number, Type.JSON: canonical_json}
    types = {name: forms.get(table.columns[name]) for name in row}
    return {name: form(value) if (form := types[name]) and value is not None else value for name, value in row.items()}


@contextmanager
def relational(request: pytest.FixtureRequest) -> Iterator[RelationalSubject]:
    """A subject on the twin of PostgreSQL."""
    yield RelationalSubject()


@contextmanager
def documents(request: pytest.FixtureRequest) -> Iterator[DocumentSubject]:
    """A subject on the twin of DynamoDB."""
    yield DocumentSubject()
