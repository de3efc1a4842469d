"""A Scan's pages → canonical rows, without a Python object for each value: the hot loop of reading.

DuckDB parses a page into columns, in a third of the time that `Layout.decode` takes and without the interpreter's lock.
It sees only what is declared and typed as declared. So the attributes that it saw are counted, and a page that holds
more than those goes to `Layout.decode`.
"""

from __future__ import annotations

import json

import duckdb
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from ...model import Type
from .items import TAGS, Item, Layout, canonical_numbers


class Pages:
    """Turns the answers to one table's Scan into rows. For one thread at a time."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        columns = layout.table.columns
        self._connection = duckdb.connect(config={"threads": 1})
        self._distinct = len({name.lower() for name in columns}) == len(columns)  # DuckDB's names have no case
        kinds = {Type.BOOLEAN: "BOOLEAN"}
        attributes = {
            name: {TAGS[type_]: kinds.get(type_, "VARCHAR"), "NULL": "BOOLEAN"} for name, type_ in columns.items()
        }
        shape = json.dumps({"Items": [attributes], "LastEvaluatedKey": "JSON"}).replace("'", "''")
        values = [f"{_value(name, type_)} AS _{n}" for n, (name, type_) in enumerate(columns.items())]
        nulls = {name: f'item.{_quoted(name)}."NULL"' for name in sorted(columns)}
        names = (
            f"CASE WHEN {null} THEN {_literal(json.dumps(name, ensure_ascii=False))} END"
            for name, null in nulls.items()
        )
        count = " + ".join(f"CASE WHEN {null} THEN 1 ELSE 0 END" for null in nulls.values())
        self._query = (
            f"SELECT start, {count} AS nulls, CASE WHEN {count} > 0 THEN "
            f"'{{\"\":[' || concat_ws(',', {', '.join(names)}) || ']}}' END AS held, {', '.join(values)} "
            "FROM (SELECT unnest(answer.Items) AS item, answer.LastEvaluatedKey AS start "
            f"FROM (SELECT from_json(page, '{shape}') AS answer FROM pages))"
        )

    def rows(self, page: bytes) -> tuple[pa.RecordBatch, Item | None]:
        """The page's rows in its order, and the key after which the next page starts, if there is one.

        Raises `orjson.JSONDecodeError` for what is no JSON."""
        parsed = self._parsed(page) if self._distinct else None
        if parsed is not None:
            return parsed
        answer = orjson.loads(page)
        return self._layout.decode(answer["Items"]), answer.get("LastEvaluatedKey")

    def _parsed(self, page: bytes) -> tuple[pa.RecordBatch, Item | None] | None:
        """What `rows` gives, or None where DuckDB did not see all that the page holds."""
        try:
            self._connection.register("pages", pa.table({"page": pa.array([page], pa.string())}))
            found = self._connection.sql(self._query).to_arrow_table()
        except (duckdb.Error, pa.ArrowInvalid):
            return None
        if not found.num_rows:
            return None
        start, nulls, held, *columns = (column.combine_chunks() for column in found.columns)
        after = start[0].as_py()
        seen = sum(len(column) - column.null_count for column in columns) + pc.sum(nulls).as_py()
        # Every attribute is an object, so the page holds at most as many as it has opening braces beside those of the
        # answer, its items and its start. Braces in text and in nested maps count too: then it is not known.
        at_most = page.count(b"{") - 1 - found.num_rows - (after or "").count("{")
        if seen != at_most:
            return None
        types = self._layout.table.columns.values()
        made = [canonical_numbers(c) if t is Type.NUMBER else c for t, c in zip(types, columns, strict=False)]
        made += [pa.nulls(found.num_rows, pa.string()), held]
        return pa.RecordBatch.from_arrays(made, schema=self._layout.schema), after and orjson.loads(after)


def _value(name: str, type_: Type) -> str:
    """SQL for the column's value in `item`."""
    value = f"item.{_quoted(name)}.{_quoted(TAGS[type_])}"
    return f"from_base64({value})" if type_ is Type.BINARY else value


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
