"""A query as DuckDB parses it: `json_serialize_sql`, and ways through it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ..trueup.declare.names import fold

_NOWHERE = 2**63
"""DuckDB's place of what has none is beyond it."""


def place(node: Mapping[str, Any]) -> int:
    """Where it stands in the text; 0 where DuckDB does not say."""
    return at if (at := node.get("query_location") or 0) < _NOWHERE else 0


def nodes(tree: object) -> Iterator[dict[str, Any]]:
    """Every object of the tree, whatever it is of."""
    if isinstance(tree, dict):
        yield tree
    for each in tree.values() if isinstance(tree, dict) else tree if isinstance(tree, list) else ():
        yield from nodes(each)


def selects(query: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Each SELECT of a query, of those that UNION and the like put together."""
    if query.get("type") == "SELECT_NODE":
        yield query
    for part in (query.get("left"), query.get("right"), *query.get("children", ())):
        if isinstance(part, dict):
            yield from selects(part)


def columns(query: Mapping[str, Any], name: str) -> Iterator[tuple[Mapping[str, Any], Mapping[str, Any]]]:
    """What stands for the column of that name in each SELECT of the query that gives rows, after the SELECT."""
    every = [*selects(query)]
    first = every[0]["select_list"] if every else []
    names = [fold(each["alias"] or (each.get("column_names") or [""])[-1]) for each in first]
    if name not in names:
        return
    for select in every:
        items, where = select["select_list"], select.get("where_clause") or {}
        never = where.get("class") == "CONSTANT" and where["literal"]["text"] == "false"  # says that there are none
        if len(items) == len(names) and not never:
            yield select, items[names.index(name)]


def is_null(expression: Mapping[str, Any]) -> bool:
    """Whether it is NULL itself, with or without a type."""
    if expression.get("class") == "CAST":
        return is_null(expression["child"])
    return expression.get("class") == "CONSTANT" and expression["literal"]["kind"] == "NULL_LITERAL"
