"""The types that DuckDB has for the logical ones."""

from __future__ import annotations

from ..declare.migration import Type
from ..rows import duck

SQL = {
    Type.TEXT: "VARCHAR",
    Type.NUMBER: "VARCHAR",
    Type.INTEGER: "BIGINT",
    Type.FLOAT: "DOUBLE",
    Type.BOOLEAN: "BOOLEAN",
    Type.TIMESTAMP: "TIMESTAMPTZ",
    Type.DATETIME: "TIMESTAMP",
    Type.DATE: "DATE",
    Type.JSON: "VARCHAR",
    Type.BINARY: "BLOB",
}


def cast(column: str, type_: Type) -> str:
    """SQL: the column, of its type in DuckDB."""
    value = f"CAST({duck.identifier(column)} AS {SQL[type_]})"
    if type_ is Type.FLOAT:  # one NaN, whatever its bits, since values are compared by their text
        value = f"CASE WHEN isnan({value}) THEN 'nan'::DOUBLE ELSE {value} END"
    return f"{value} AS {duck.identifier(column)}"
