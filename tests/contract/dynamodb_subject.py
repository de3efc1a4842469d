"""DynamoDB engines under the contract suite."""

from __future__ import annotations

import base64
import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from include.embedded import dynamodb
from include.trueup.declare.migration import Index, Table, Type
from include.trueup.stores.dynamodb import DynamoDBStore, client
from tests.harness import HOME

from .subject import Row

_names = itertools.count()


class DynamoDBSubject:
    """A `Subject` on a DynamoDB endpoint."""

    secret = "a-secret-access-key"
    types = (Type.TEXT, Type.NUMBER, Type.BOOLEAN, Type.JSON, Type.BINARY)

    def __init__(self, endpoint: str) -> None:
        self.client = client(
            endpoint_url=endpoint,
            region_name="us-east-1",
            aws_access_key_id="contract",
            aws_secret_access_key=self.secret,
        )
        self.store = DynamoDBStore(self.client)

    def table(self, columns: Mapping[str, Type], key: tuple[str, ...], indexes: tuple[Index, ...] = ()) -> Table:
        """A declaration with a new name."""
        name = f"contract-{next(_names)}"
        return Table(name=name, connection="contract", key=key, columns=columns, indexes=indexes)

    def put(self, table: Table, rows: Sequence[Row]) -> None:
        """Put rows by boto3."""
        for row in rows:
            self.client.put_item(TableName=table.name, Item=typed_item(table, row))

    def json(self, value: Any) -> str:
        """DynamoDB JSON of an object's members."""
        return json.dumps(typed(value)["M"], sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def typed(value: Any) -> dict[str, Any]:
    """A plain Python value in DynamoDB JSON."""
    match value:
        case None:
            return {"NULL": True}
        case bool():
            return {"BOOL": value}
        case int() | float():
            return {"N": str(value)}
        case list():
            return {"L": [typed(member) for member in value]}
        case dict():
            return {"M": {name: typed(member) for name, member in value.items()}}
        case _:
            return {"S": value}


def typed_item(table: Table, row: Row) -> dict[str, Any]:
    """A row as boto3 takes an item."""
    item: dict[str, Any] = {}
    for name, value in row.items():
        match table.columns[name]:
            case _ if value is None:
                continue
            case Type.NUMBER:
                item[name] = {"N": value}
            case Type.BOOLEAN:
                item[name] = {"BOOL": value}
            case Type.BINARY:
                item[name] = {"B": value}
            case Type.JSON:
                item[name] = {"M": json.loads(value, object_hook=_bytes)}
            case _:
                item[name] = {"S": value}
    return item


def _bytes(value: dict[str, Any]) -> dict[str, Any]:
    """DynamoDB JSON's binary as the bytes that boto3 wants."""
    return {"B": base64.b64decode(value["B"])} if list(value) == ["B"] and isinstance(value["B"], str) else value


@cache
def dynoxide_binary() -> Path | None:
    """dynoxide's binary, installed if need be; None, and a line saying so, where this platform cannot have it."""
    binary = dynamodb.find_dynoxide(HOME)
    if binary is None:
        print("dynoxide is not tested: there is no build for this platform, or no npm to install it with")
    return binary


@contextmanager
def ministack(request: pytest.FixtureRequest) -> Iterator[DynamoDBSubject]:
    """A subject on ministack, in memory."""
    with dynamodb.ministack(dynamodb.free_port(), None) as engine:
        yield DynamoDBSubject(engine.endpoint)


@contextmanager
def dynoxide(request: pytest.FixtureRequest) -> Iterator[DynamoDBSubject]:
    """A subject on dynoxide, in memory."""
    binary = dynoxide_binary()
    assert binary is not None
    with dynamodb.dynoxide(dynamodb.free_port(), binary) as engine:
        yield DynamoDBSubject(engine.endpoint)
