"""`make dynamodb ON=shop_dynamodb`: tables and items of the embedded DynamoDB, to fill it by hand and to look at it."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import orjson

from ..trueup.declare.names import one_of
from ..trueup.errors import OptionsError, StoreRejectedError
from ..trueup.rows.dynamodb_values import dynamodb_json, plain_json
from ..trueup.stores.dynamodb import DynamoDBStore, client
from ..trueup.stores.dynamodb.wire import Wire
from . import connections, servers
from .home import Home
from .settings import connection_variable

Item = dict[str, Any]
"""An item in DynamoDB's notation: `{"id": {"S": "a"}}`."""
_TAGS = frozenset({"S", "N", "B", "BOOL", "NULL", "M", "L", "SS", "NS", "BS"})
_PAGE = 1_000
_LAYOUT = "each line is one item, a JSON object"


def items(home: Home, given: Mapping[str, str], conn_id: str, table: str, file: str, key: str) -> int:
    """Without a table: print the names of all. With one: print its items, as JSON lines; or, where a file of such lines is
    named, put them, into a table that is made with that key (`id`, or `tenant id`) where it is not there. With a key and no
    items, an empty table is made, its key of text unless it says otherwise (`id:N`, `tenant:S at:N`). The exit status.

    A line is a JSON object, or `{"Item": …}` in DynamoDB's notation, which has sets and binary, and is that of its exports.
    Raises `OptionsError` for a connection that leads to no embedded DynamoDB, a table or a file that is not there, and a
    line that is no item."""
    if not connections.needs_dynamodb([conn_id]):
        meant = f"make psql ON={conn_id}" if connections.needs_postgres([conn_id]) else connections.like(conn_id, given)
        raise OptionsError(f"{conn_id!r} is no connection to DynamoDB, whose ids end in _dynamodb; {meant}")
    if not connections.not_given([conn_id], given):
        variable = connection_variable(conn_id)
        raise OptionsError(f"{variable} is set, so {conn_id} is no embedded DynamoDB: use the AWS CLI")
    if (file or key) and not table:
        raise OptionsError(f"say which table: make dynamodb ON={conn_id} TABLE=shop-orders FROM=items.jsonl")
    lines = [*_read(Path(file))] if file else []
    with servers.in_use(home, given, need_postgres=False, need_dynamodb=True, say=_progress) as running:
        engine = client(
            endpoint_url=running.dynamodb,
            region_name="us-east-1",
            aws_access_key_id="embedded",
            aws_secret_access_key="embedded",
        )
        wire, names = Wire(engine), DynamoDBStore(engine).tables()
        if file or (key and table not in names):
            made = "" if table in names else _make(wire, table, key, file, lines)
            _put(wire, table, file, lines)
            print(f"{table}: {len(lines):,} item{'s' * (len(lines) != 1)} put{made}")
        elif not table:
            print(
                "\n".join(names)
                or "There are no tables. TABLE=shop-orders FROM=items.jsonl makes one, with the items of a file."
            )
        elif table not in names:
            raise OptionsError(f"there is no table {table!r}; {one_of(table, names)}")
        else:
            for item in _scanned(wire, table):
                print(_written(item))
    return 0


def _progress(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _read(file: Path) -> Iterator[tuple[int, Item]]:
    """The items of a file, each with the number of its line."""
    try:
        text = file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise OptionsError(f"{file} cannot be read: {getattr(error, 'strerror', None) or error}") from None
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            item = json.loads(line)
        except ValueError as error:
            raise OptionsError(f"{file}:{number}: no JSON ({error}); {_LAYOUT}") from None
        if not isinstance(item, dict):
            raise OptionsError(f"{file}:{number}: {_LAYOUT}, not {line[:60]}")
        typed: Any = item.get("Item") if item.keys() == {"Item"} else None
        if not _is_item(typed) and not _is_item(typed := json.loads(dynamodb_json(line))):
            raise OptionsError(f"{file}:{number}: DynamoDB has no place for a value of this item: {line[:60]}")
        yield number, typed


def _is_item(item: Any) -> bool:
    """Whether it is an item in DynamoDB's notation."""
    return isinstance(item, dict) and all(
        isinstance(value, dict) and len(value) == 1 and value.keys() <= _TAGS for value in item.values()
    )


def _make(wire: Wire, table: str, key: str, file: str, lines: list[tuple[int, Item]]) -> str:
    """Make the table, its key of the types that the first item has; what was made, in words."""
    parts = [re.fullmatch(r"(.+?)(?::([SNB]))?", each) for each in re.findall(r"[^\s,]+", key) or ["id"]]
    given = {each[1]: each[2] for each in parts if each is not None}
    names = [*given]
    if len(names) > 2:
        raise OptionsError(f"KEY={key}: a key has one or two attributes, such as KEY=id or KEY='tenant id'")
    if not lines and not key:
        raise OptionsError(
            f"{file} has no items, so it does not say what the key is: say KEY=id, or KEY=id:N of a number"
        )
    number, first = lines[0] if lines else (0, {name: {tag or "S": ""} for name, tag in given.items()})
    types = {name: next(iter(first.get(name, ("",)))) for name in names}
    for name, tag in types.items():
        if tag not in ("S", "N", "B"):
            problem = "is no text, number or binary" if tag else "is not there"
            attributes = ", ".join(sorted(first))
            raise OptionsError(f"{file}:{number}: the key {name} {problem}; say KEY=…, one or two of: {attributes}")
    request = {
        "TableName": table,
        "KeySchema": [
            {"AttributeName": name, "KeyType": kind} for name, kind in zip(names, ("HASH", "RANGE"), strict=False)
        ],
        "AttributeDefinitions": [{"AttributeName": name, "AttributeType": tag} for name, tag in types.items()],
        "BillingMode": "PAY_PER_REQUEST",
    }
    wire.call("CreateTable", table, orjson.dumps(request))
    return f"; the table was made, with the key {' '.join(names)}"


def _put(wire: Wire, table: str, file: str, lines: list[tuple[int, Item]]) -> None:
    for number, item in lines:
        try:
            wire.call("PutItem", table, orjson.dumps({"TableName": table, "Item": item}))
        except StoreRejectedError as error:
            raise OptionsError(f"{file}:{number}: {error}. The items before this one were put") from None


def _scanned(wire: Wire, table: str) -> Iterator[Item]:
    request: dict[str, Any] = {"TableName": table, "ConsistentRead": True, "Limit": _PAGE}
    while True:
        page = wire.call("Scan", table, orjson.dumps(request))
        yield from page["Items"]
        if not (last := page.get("LastEvaluatedKey")):
            return
        request["ExclusiveStartKey"] = last


def _written(item: Item) -> str:
    """An item as a line that can be read again: plain where JSON has a word for all that is in it."""
    if any(_is_only_typed(value) for value in item.values()):
        return json.dumps({"Item": item}, ensure_ascii=False)
    return plain_json(json.dumps(item))


def _is_only_typed(value: Item) -> bool:
    """Whether there is a set or binary in a value."""
    ((tag, content),) = value.items()
    inner = content.values() if tag == "M" else content if tag == "L" else ()
    return tag in ("B", "SS", "NS", "BS") or any(map(_is_only_typed, inner))
