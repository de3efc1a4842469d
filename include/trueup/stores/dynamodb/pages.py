"""A Scan's pages → canonical rows, without a Python object for each value: the hot loop of reading.

DuckDB parses a page into columns, in a third of the time that `Layout.decode` takes and without the interpreter's lock.
It sees only what is declared and typed as declared. So the attributes that it saw are counted, and a page that holds
more than those goes to `Layout.decode`.
"""

from __future__ import annotations

import json
from functools import cache

import duckdb
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from ...declare.migration import Type
from ...rows.dynamodb_values import canonical_text
from .items import TAGS, Item, Layout, canonical_numbers


@cache
def _database() -> duckdb.DuckDBPyConnection:
    """What parses pages: opened once a process, as that takes longer than to parse many. It holds nothing: what a reader
    registers is its own cursor's."""
    return duckdb.connect(config={"threads": 1})


class Pages:
    """Turns the answers to one table's Scan into rows. For one thread at a time."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        columns = layout.table.columns
        self._connection = _database().cursor()
        self._distinct = len({name.lower() for name in columns}) == len(columns)  # DuckDB's names have no case
        kinds = {Type.BOOLEAN: "BOOLEAN"}
        attributes = {name: {TAGS[type_]: kinds.get(type_, "VARCHAR")} for name, type_ in columns.items()}
        self._shape = _literal(json.dumps({"Items": [attributes], "LastEvaluatedKey": "JSON"}))
        self._values = [f"{_value(name, type_)} AS _{n}" for n, (name, type_) in enumerate(columns.items())]
        self._queries: dict[tuple[str, ...], str] = {}

    def _query(self, null: tuple[str, ...]) -> str:
        """SQL for a page of which some rows have these attributes as NULL."""
        if null not in self._queries:
            columns = self._layout.table.columns
            # an attribute that is there, and not of the declared type, is one that is NULL, or the long way is taken
            odd = {
                name: f"(item.{_quoted(name)} IS NOT NULL AND {_typed(name, columns[name])} IS NULL)" for name in null
            }
            names = ", ".join(f"CASE WHEN {odd[name]} THEN {_literal(canonical_text(name))} END" for name in null)
            count = " + ".join(f"CAST({each} AS INTEGER)" for each in odd.values())
            nulls_of = f"CASE WHEN {' OR '.join(odd.values())} THEN '{{\"\":[' || concat_ws(',', {names}) || ']}}' END"
            more = f"{count} AS nulls, {nulls_of} AS held, " if null else ""
            self._queries[null] = (
                f"SELECT start, {more}{', '.join(self._values)} "
                "FROM (SELECT unnest(answer.Items) AS item, answer.LastEvaluatedKey AS start "
                f"FROM (SELECT from_json(page, {self._shape}) AS answer FROM pages))"
            )
        return self._queries[null]

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
        before_nulls = page.split(b'":{"NULL":true}')[:-1]
        null = {text.rpartition(b'"')[2].decode(errors="replace") for text in before_nulls}
        if not null <= self._layout.table.columns.keys():
            return None
        try:
            self._connection.register("pages", pa.table({"page": pa.array([page], pa.string())}))
            parsed_page = self._connection.sql(self._query(tuple(sorted(null)))).to_arrow_table()
        except (duckdb.Error, pa.ArrowInvalid):
            return None
        if not parsed_page.num_rows:
            return None
        start, *columns = (column.combine_chunks() for column in parsed_page.columns)
        after = start[0].as_py()
        nulls = pa.nulls(parsed_page.num_rows, pa.string())
        if null:
            odd, nulls, *columns = columns
            if pc.sum(odd).as_py() != len(before_nulls):
                return None
        seen = sum(len(column) - column.null_count for column in columns) + len(before_nulls)
        # Every attribute is an object, so the page holds at most as many as it has opening braces beside those of the
        # answer, its items and its start. Braces in text and in nested maps count too: then it is not known.
        at_most = page.count(b"{") - 1 - parsed_page.num_rows - (after or "").count("{")
        if seen != at_most:
            return None
        types = self._layout.table.columns.values()
        parsed = [canonical_numbers(c) if t is Type.NUMBER else c for t, c in zip(types, columns, strict=False)]
        parsed += [pa.nulls(parsed_page.num_rows, pa.string()), nulls]
        return pa.RecordBatch.from_arrays(parsed, schema=self._layout.schema), after and orjson.loads(after)


def _value(name: str, type_: Type) -> str:
    """SQL for the column's value in `item`."""
    value = _typed(name, type_)
    return f"from_base64({value})" if type_ is Type.BINARY else value


def _typed(name: str, type_: Type) -> str:
    return f"item.{_quoted(name)}.{_quoted(TAGS[type_])}"


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
