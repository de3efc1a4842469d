"""The two examples that go across stores, over real ones with dirty rows, against oracles that know no line of the engine:
what lies in one store is read by its own client, and worked out by hand in plain Python."""

from __future__ import annotations

import base64
import json
import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from boto3.dynamodb.types import Binary, TypeDeserializer, TypeSerializer

from examples.dynamodb_to_postgres.migration import migration as to_postgres
from examples.postgres_to_dynamodb.migration import migration as to_dynamodb
from include.embedded import postgres
from include.trueup.ledger import Ledger
from include.trueup.run.workspace import Workspace
from include.trueup.stores.dynamodb import DynamoDBStore
from include.trueup.stores.postgres import PostgresStore
from include.trueup.testing import Stage, there_and_back
from tests.harness import new_database

Item = dict[str, Any]
N38 = Decimal("0.12345678901234567890123456789012345678")
WHOLE = Decimal(10**38 - 1)


def unpacked(value: Any) -> Any:
    """A value as boto3's own deserializer gives it, as plain JSON has it: sets are sorted lists, binary is Base64 text."""
    match value:
        case set():
            return sorted(map(unpacked, value), key=str)
        case list():
            return [unpacked(each) for each in value]
        case dict():
            return {name: unpacked(each) for name, each in value.items()}
        case Binary():
            return base64.b64encode(bytes(value.value)).decode()  # type: ignore[attr-defined]
        case _:
            return value


@pytest.fixture
def uri(postgres_server: postgres.Server) -> str:
    return new_database(postgres_server)


@pytest.fixture
def items(empty_kpi_store: DynamoDBStore) -> DynamoDBStore:
    return empty_kpi_store


@pytest.fixture
def stage(uri: str, items: DynamoDBStore, ledger: Ledger, workspace: Workspace) -> Stage:
    rows = PostgresStore(uri)
    return Stage(store=lambda id: items if "dynamodb" in id else rows, ledger=ledger, workspace=workspace)


# ── DynamoDB → PostgreSQL ────────────────────────────────────────────────────────────────────────────────────────────

DEEP = {"Straße": {"№": N38, "": "", "ключ": [None, True, {"x": WHOLE, "b": b"\x00\xff"}], "ns": {Decimal(2), N38}}}
ORDERS: list[Item] = [
    {"id": "a", "placedAt": "2025-01-31T12:00:00.123456+02:00", "total": N38, "paid": True, "address": DEEP},
    {"id": "b", "placedAt": "2025-01-31", "total": WHOLE, "note": "", "receipt": b"\x00\xff", "tags": {"ü", "A", "b"}},
    {"id": "c", "placedAt": "20250131T23", "note": None, "total": None, "tags": {Decimal("1.5"), N38}, "deep": DEEP},
    {"id": "d", "placedAt": "2025-01-31", "paid": False, "receipt": b"", "address": {}, "tags": None, "Ünïcode": [1]},
    {"id": "é/~.\"'", "placedAt": "2025-01-31", "total": Decimal("1E-100"), "blobs": {b"b", b"a"}, "tags": []},
    {"id": "bad number", "placedAt": "2025-01-31", "total": "12"},
    {"id": "bad date", "placedAt": "2025-02-30"},
    {"id": "no date"},
    {"id": "zero", "placedAt": "2025-01-31", "note": "a\x00b"},  # PostgreSQL has no such text
]


def orders_wanted() -> tuple[dict[str, Item], dict[str, str]]:
    """The rows of the new table by id, and the code of each order that is rejected."""
    rows, rejects = {}, {}
    names = {"id", "placedAt", "note", "total", "paid", "receipt", "address"}
    for item in ORDERS:
        at = re.fullmatch(r"(\d{4})-?(\d\d)-?(\d\d)(T.*)?", item.get("placedAt") or "")
        if isinstance(item.get("total"), str):
            rejects[item["id"]] = "bad_type"
        elif at is None or at[3] == "30":
            rejects[item["id"]] = "bad_date"
        elif "\x00" in (item.get("note") or ""):
            rejects[item["id"]] = "unwritable"
        else:
            hours = {"": 0, "T23": 23}.get(at[4] or "", 10)
            micros = 123456 if hours == 10 else 0
            more = {n: unpacked(wrapped(v)) for n, v in item.items() if n not in names | {"tags"} and v is not None}
            rows[item["id"]] = {
                "note": item.get("note"),
                "total": item.get("total"),
                "paid": item.get("paid"),
                "receipt": item.get("receipt"),
                "placed_at": datetime(int(at[1]), int(at[2]), int(at[3]), hours, 0, 0, micros, UTC),
                "address": unpacked(wrapped(item["address"])) if "address" in item else None,
                "tags": unpacked(wrapped(item["tags"])) if item.get("tags") is not None else None,
                "more": more or None,
            }
    return rows, rejects


def wrapped(value: Any) -> Any:
    """A value as it comes back from DynamoDB."""
    return TypeDeserializer().deserialize(TypeSerializer().serialize(value))


def exact(text: str | None) -> Any:
    return None if text is None else json.loads(text, parse_float=Decimal, parse_int=Decimal)


def test_dynamodb_to_postgres(uri: str, items: DynamoDBStore, stage: Stage) -> None:
    items.create(to_postgres.source("shop_orders").table)
    for order in ORDERS:
        typed = {name: TypeSerializer().serialize(value) for name, value in order.items()}
        items.client.put_item(TableName="shop-orders", Item=typed)
    rows, rejects = orders_wanted()
    there_and_back(to_postgres, stage, rejects=rejects, again=True)
    with psycopg.connect(uri) as connection:
        query = "SELECT id, note, total, paid, receipt, placed_at, address::text, tags::text, more::text FROM orders"
        found = {
            id: {
                "note": note,
                "total": total,
                "paid": paid,
                "receipt": receipt,
                "placed_at": placed_at,
                **{name: exact(text) for name, text in (("address", address), ("tags", tags), ("more", more))},
            }
            for id, note, total, paid, receipt, placed_at, address, tags, more in connection.execute(query)
        }
    assert found == rows


# ── PostgreSQL → DynamoDB ────────────────────────────────────────────────────────────────────────────────────────────

CREATE = """CREATE TABLE invoices (number bigint PRIMARY KEY, customer text, note text, amount numeric, rate float8, paid bool,
    issued_at timestamptz, due date, scan bytea, lines jsonb, labels jsonb)"""
INVOICES = [
    (
        "(1, 'ä', '', 12345678901234567890123456789012345678, 0.1, true, '2025-01-31 12:00:00.5+01', '2025-02-28', '\\x00ff',"
        ' \'[{"sku": "é", "n": 0.12345678901234567890123456789012345678, "off": null}, []]\', \'["b", "a", "b", "ü"]\')'
    ),
    "(2, NULL, NULL, 1e-20, -0.0, false, '0044-03-15 00:00:00+00 BC', '9999-12-31', '', '[]', '[]')",
    "(-3, 'c', 'x', 1.50, 1e-100, NULL, NULL, NULL, NULL, '{}', NULL)",
    "(9223372036854775807, E'\\u0001\\n', NULL, -0.00, 1e37, NULL, NULL, NULL, NULL, '\"text\"', '[\"\"]')",
    "(10, 'digits', NULL, 123456789012345678901234567890123456789, 1, NULL, NULL, NULL, NULL, '1', NULL)",
    "(11, 'nan', NULL, 'NaN', 1, NULL, NULL, NULL, NULL, NULL, NULL)",
    "(12, 'nan float', NULL, 1, 'NaN', NULL, NULL, NULL, NULL, NULL, NULL)",
    "(13, 'for ever', NULL, 1, 1, NULL, 'infinity', NULL, NULL, NULL, NULL)",
    "(14, 'too large', NULL, 1, 1e200, NULL, NULL, NULL, NULL, NULL, NULL)",
    "(15, 'deep', NULL, 1, 1, NULL, NULL, NULL, NULL, (repeat('[', 40) || repeat(']', 40))::jsonb, NULL)",
]
REJECTS = {
    "10": "unwritable",
    "11": "no_place",
    "12": "unwritable",
    "13": "no_place",
    "14": "unwritable",
    "15": "unwritable",
}


def invoice_wanted(row: tuple[Any, ...]) -> Item:
    """The item of a row, by the README of the example."""
    number, customer, note, amount, rate, paid, issued, due, scan, lines, labels = row
    item = {
        "number": Decimal(number),
        "customer": customer,
        "note": note,
        "amount": amount,
        "rate": Decimal(repr(rate)),
        "paid": paid,
        "scan": Binary(scan) if scan is not None else None,
        "issuedAt": issued,
        "due": due,
        "document": {"lines": exact(lines)} if lines is not None else None,
        "labels": {*json.loads(labels)} if labels and json.loads(labels) else None,
    }
    return {name: value for name, value in item.items() if value is not None}


def test_postgres_to_dynamodb(uri: str, items: DynamoDBStore, stage: Stage) -> None:
    with psycopg.connect(uri, autocommit=True) as connection:
        connection.execute(CREATE.encode())
        connection.execute(f"INSERT INTO invoices VALUES {', '.join(INVOICES)}".encode())
        columns = "number, customer, note, amount, rate, paid, issued, due::text, scan, lines::text, labels::text"
        issued = "CASE WHEN isfinite(issued_at) THEN to_jsonb(issued_at) #>> '{}' END AS issued"
        connection.execute("SET TimeZone = 'UTC'")
        rows = connection.execute(f"SELECT {columns} FROM (SELECT *, {issued} FROM invoices) i".encode()).fetchall()
    there_and_back(to_dynamodb, stage, rejects=REJECTS, again=True)
    held = items.client.scan(TableName="billing-invoices", ConsistentRead=True)["Items"]
    found = {str(item["number"]["N"]): {n: TypeDeserializer().deserialize(v) for n, v in item.items()} for item in held}
    assert found == {str(row[0]): invoice_wanted(row) for row in rows if str(row[0]) not in REJECTS}
