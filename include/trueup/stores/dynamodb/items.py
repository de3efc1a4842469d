"""DynamoDB JSON ⇄ canonical rows, column by column: this is the hot loop of reading and writing.

An *item* is a dictionary of attribute name → typed value, as parsed from DynamoDB JSON (`{"id": {"S": "a"}}`).
In *canonical form* numbers are plain digits, sets are sorted, and top-level NULLs are left out, so that two items are
equal if and only if their dictionaries are. A row remembers in `_mistyped` (`names.NULLS`) which of its attributes are
NULL, so that it can be put back as it was.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from ...declare.migration import Table, Type
from ...declare.names import EXTRA, MISTYPED, NULLS
from ...errors import DeclarationError
from ...rows.dynamodb_values import Value, canonical_text, canonical_value
from ...rows.values import canonical_number
from .. import ARROW, arrow_schema

Item = dict[str, Value]

TAGS = {Type.TEXT: "S", Type.NUMBER: "N", Type.BOOLEAN: "BOOL", Type.JSON: "M", Type.BINARY: "B"}
KEY_TYPES = (Type.TEXT, Type.NUMBER, Type.BINARY)
CANONICAL_NUMBER = r"^(0|-?[1-9][0-9]*|-?(0|[1-9][0-9]*)\.[0-9]*[1-9])$"
"""What `canonical_number` makes; DynamoDB itself nearly always writes numbers so already."""


def canonical_item(item: Item) -> Item:
    """An item in canonical form: its values so, top-level NULLs left out."""
    return {name: canonical_value(value) for name, value in item.items() if "NULL" not in value}


def without_nulls(item: Item) -> Item:
    """The item without its top-level NULLs: the item itself where it has none."""
    if any("NULL" in value for value in item.values()):
        return {name: value for name, value in item.items() if "NULL" not in value}
    return item


class Layout:
    """How the rows of one table look as items. Raises `DeclarationError` for what DynamoDB has no type for."""

    def __init__(self, table: Table) -> None:
        for name, type_ in table.columns.items():
            if type_ not in TAGS:
                types = ", ".join(f"Type.{one.name}" for one in TAGS)
                raise DeclarationError(
                    f"table {table.name!r}: DynamoDB has no Type.{type_.name} (column {name!r}); it has {types}"
                )
        for key in (table.key, *(index.key for index in table.indexes)):
            if len(key) > 2:
                raise DeclarationError(f"table {table.name!r}: a DynamoDB key has one or two columns, not {key}")
            for name in key:
                if table.columns[name] not in KEY_TYPES:
                    raise DeclarationError(
                        f"table {table.name!r}: a DynamoDB key is text, number or binary; {name!r} is {table.columns[name]}"
                    )
        self.table = table
        self.schema = arrow_schema(table)
        self._tags = {name: TAGS[type_] for name, type_ in table.columns.items()}

    def key(self, item: Item) -> Item:
        """The key attributes of an item."""
        return {name: item[name] for name in self.table.key}

    def decode(self, items: list[Item]) -> pa.RecordBatch:
        """Items as one batch of canonical rows, in their order. Whatever an item holds is in exactly one column."""
        columns: list[pa.Array] = []
        well_typed = 0
        for name, type_ in self.table.columns.items():
            tag = self._tags[name]
            try:
                values = [item[name][tag] for item in items]
                well_typed += len(values)
            except KeyError:
                values = [
                    value[tag] if (value := item.get(name)) is not None and tag in value else None for item in items
                ]
                well_typed += len(values) - values.count(None)
            columns.append(_column(type_, values))
        if well_typed == sum(map(len, items)):
            columns += [pa.nulls(len(items), pa.string())] * 2
        else:
            columns += self._leftovers(items)
        return pa.RecordBatch.from_arrays(columns, schema=self.schema)

    def _leftovers(self, items: list[Item]) -> tuple[pa.Array, pa.Array]:
        """The columns `_extra` and `_mistyped`: every attribute that no declared column holds."""
        tags = self._tags
        extra: list[str | None] = []
        mistyped: list[str | None] = []
        for item in items:
            undeclared: Item = {}
            other_type: dict[str, Any] = {}
            nulls: list[str] = []
            for name, value in item.items():
                tag = tags.get(name)
                if tag in value:
                    continue
                if "NULL" in value:
                    nulls.append(name)
                    continue
                (undeclared if tag is None else other_type)[name] = canonical_value(value)
            if nulls:
                other_type[NULLS] = sorted(nulls)
            extra.append(canonical_text(undeclared) if undeclared else None)
            mistyped.append(canonical_text(other_type) if other_type else None)
        return pa.array(extra, pa.string()), pa.array(mistyped, pa.string())

    def encode(self, rows: pa.Table, nulls: bool = False) -> list[Item]:
        """Canonical rows as items in canonical form. `rows` may hold some of the columns only (keys, say). `nulls`: with
        the attributes that are NULL."""
        items: list[Item] = [{} for _ in range(rows.num_rows)]
        for name in rows.column_names:
            column = rows.column(name)
            if column.null_count == rows.num_rows:
                continue
            values: Iterable[Any] = column.to_pylist()
            if name in (EXTRA, MISTYPED):
                for item, text in zip(items, values, strict=True):
                    if text is not None:
                        _hold(item, orjson.loads(text), nulls)
                continue
            tag = self._tags[name]
            if tag == "M":
                values = (None if text is None else orjson.loads(text) for text in values)
            elif tag == "B":
                values = (None if content is None else base64.b64encode(content).decode() for content in values)
            for item, value in zip(items, values, strict=True):
                if value is not None:
                    item[name] = {tag: value}
        return items


def _hold(item: Item, held: dict[str, Any], nulls: bool) -> None:
    """Give an item what a row holds in addition to its declared columns."""
    named = held.pop(NULLS, ())
    item.update(held)
    if nulls:
        item.update((name, {"NULL": True}) for name in named if name not in item)


def canonical_numbers(texts: pa.Array) -> pa.Array:
    """Numbers as DynamoDB writes them (null: missing) in canonical form."""
    if pc.all(pc.match_substring_regex(texts, CANONICAL_NUMBER)).as_py() is not False:
        return texts
    return pa.array([None if text is None else canonical_number(text) for text in texts.to_pylist()], pa.string())


def _column(type_: Type, values: list[Any]) -> pa.Array:
    """DynamoDB's values of one type (None: missing) as an Arrow array in canonical form."""
    match type_:
        case Type.NUMBER:
            return canonical_numbers(pa.array(values, pa.string()))
        case Type.JSON:
            texts = [None if inner is None else canonical_text(canonical_value({"M": inner})["M"]) for inner in values]
            return pa.array(texts, pa.string())
        case Type.BINARY:
            return pa.array([None if text is None else binascii.a2b_base64(text) for text in values], pa.binary())
        case _:
            return pa.array(values, ARROW[type_])
