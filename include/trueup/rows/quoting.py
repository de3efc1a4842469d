"""Names and texts as they stand in SQL of DuckDB and PostgreSQL."""

from __future__ import annotations


def identifier(name: str) -> str:
    """The name as a quoted SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """The text as a quoted SQL literal. For paths and codes of our own; values of rows are bound or joined."""
    return "'" + text.replace("'", "''") + "'"
