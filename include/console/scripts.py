"""What is wrong with the SQL of a migration that no row is needed to see: what a run would find late, or never."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import duckdb

from ..trueup.declare.migration import Derived, Migration, Source
from ..trueup.declare.names import fold, one_of
from .problem import Problem

SEVERITIES = ("reject", "warning", "keep", "skip")
_START = r"\s*(?:--[^\n]*\n\s*|/\*.*?\*/\s*)*"
_MAKES = re.compile(
    _START + r"CREATE\s+(?:OR\s+REPLACE\s+)?(?:TEMP(?:ORARY)?\s+)?(?:VIEW|TABLE)\s+(?:IF\s+NOT\s+EXISTS\s+)?"
    r'"?(\w+)"?\s+AS\s+',
    re.IGNORECASE | re.DOTALL,
)
_CHANGES = re.compile(
    _START + r"(?:INSERT\s+(?:OR\s+\w+\s+)?INTO|UPDATE|DELETE\s+FROM|TRUNCATE(?:\s+TABLE)?|MERGE\s+INTO|"
    r'(?:DROP|ALTER)\s+(?:TABLE|VIEW)(?:\s+IF\s+EXISTS)?)\s+"?(\w+)"?',
    re.IGNORECASE | re.DOTALL,
)
_OUTSIDE = {"COPY", "ATTACH", "DETACH", "EXPORT", "LOAD", "COPY_DATABASE"}
_READERS = re.compile(r"read_\w+|parquet_\w+|sniff_csv|glob|getenv")
_CLOCKS = {"current_date", "current_time", "current_timestamp", "localtime", "localtimestamp"}
"""Keywords without brackets, which DuckDB parses as columns."""

_NOWHERE = 2**63
"""DuckDB's place of what has none is beyond it."""
_ONLY = "a transform sees the declared relations and makes views, and nothing else"
_GIVES_ANOTHER = (
    "gives another value each time, but a plan that is made again of the same rows must be the same; give the transform "
    "what it needs as a relation: a param, a constant, a source"
)


class _Changing(NamedTuple):
    """What gives another value each time."""

    functions: set[str]
    keywords: set[str]


def scripts(migration: Migration) -> Iterator[Problem]:
    """The problems of its scripts and queries."""
    read: tuple[Source | Derived, ...] = (*migration.sources, *migration.derived)
    ids = (*(each.id for each in read), *(each.id for each in migration.targets))
    relations = {*ids, *migration.shared, *migration.constants, "params", "undeclared"}
    columns = {column for each in read for column in each.columns}
    files = [path for phase in migration.phases for path in phase.scripts]
    files += [*migration.shared.values(), *(each.query for each in migration.derived), *migration.audit.values()]
    with duckdb.connect() as connection:
        changing = {
            name
            for (name,) in connection.execute(
                "SELECT function_name FROM duckdb_functions() WHERE stability <> 'CONSISTENT' AND function_name <> 'error'"
            ).fetchall()
        }
        for path in dict.fromkeys(files):
            yield from _script(
                connection, path, relations, _Changing(changing, _CLOCKS - {fold(each) for each in columns})
            )


def _script(
    connection: duckdb.DuckDBPyConnection, path: Path, relations: set[str], changing: _Changing
) -> Iterator[Problem]:
    text = path.read_text(encoding="utf-8")
    try:
        statements = duckdb.extract_statements(text)
    except duckdb.Error:
        return  # whoever runs it says where
    at = 0
    for statement in statements:
        at = max(text.find(statement.query.strip(), at), at)
        for offset, message in _statement(connection, statement, relations, changing):
            yield Problem(path, text.count("\n", 0, at + offset) + 1, message)


def _statement(
    connection: duckdb.DuckDBPyConnection, statement: duckdb.Statement, relations: set[str], changing: _Changing
) -> Iterator[tuple[int, str]]:
    """What is wrong with it, each with the place in its text."""
    query, kind = statement.query.strip(), statement.type.name
    if kind in _OUTSIDE:
        yield 0, f"{kind} reaches for files; {_ONLY}"
    changes, makes = _CHANGES.match(query), _MAKES.match(query)
    for match, does in ((changes, "changes"), (makes, "makes")):
        if match and fold(match[1]) in relations:
            yield (
                match.start(1),
                f"the script {does} {match[1]!r}, which is declared: it is what was read; make a view of another name of it",
            )
    start = makes.end() if makes else 0
    (tree,) = connection.execute("SELECT json_serialize_sql(?)", [query[start:]]).fetchone() or ("{}",)
    parsed: dict[str, Any] = json.loads(tree)
    for place, message in _reaches(parsed, changing):
        yield start + place, message
    if makes and fold(makes[1]) == "findings":
        for each in parsed.get("statements", []):
            for offset, severity in _severities(each["node"]):
                if severity not in SEVERITIES:
                    yield start + offset, f"findings of severity {severity!r}; {one_of(severity, SEVERITIES)}"


def _reaches(parsed: Mapping[str, Any], changing: _Changing) -> Iterator[tuple[int, str]]:
    """Where a query reads what is no relation: a file, a clock, a lot; each with its place, the first where DuckDB says none."""
    for node in _nodes(parsed):
        place = at if (at := node.get("query_location") or 0) < _NOWHERE else 0
        name, table = str(node.get("function_name", "")), str(node.get("table_name", ""))
        names = node["column_names"] if node.get("class") == "COLUMN_REF" else []
        column = fold(names[0]) if len(names) == 1 else ""
        if _READERS.fullmatch(name):
            yield place, f"{name}() reaches for what is no row; {_ONLY}"
        elif node.get("type") == "BASE_TABLE" and re.search(r"[./]", table):
            yield place, f"{table!r} is a file; {_ONLY}"
        elif name in changing.functions or column in changing.keywords:
            yield place, f"{name or column} {_GIVES_ANOTHER}"


def _severities(query: Mapping[str, Any]) -> Iterator[tuple[int, str]]:
    """The texts that stand for the column `severity` of a query, each with its place."""
    selects = [*_selects(query)]
    first = selects[0]["select_list"] if selects else []
    names = [fold(each["alias"] or (each.get("column_names") or [""])[-1]) for each in first]
    if "severity" not in names:
        return
    for select in selects:
        items, where = select["select_list"], select.get("where_clause") or {}
        never = where.get("class") == "CONSTANT" and where["literal"]["text"] == "false"  # says that there are none
        if len(items) == len(names) and not never:
            yield from _texts(items[names.index("severity")])


def _selects(query: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Each SELECT of a query, of those that UNION and the like put together."""
    if query.get("type") == "SELECT_NODE":
        yield query
    for part in (query.get("left"), query.get("right"), *query.get("children", ())):
        if isinstance(part, dict):
            yield from _selects(part)


def _texts(expression: Mapping[str, Any]) -> Iterator[tuple[int, str]]:
    if expression["class"] == "CONSTANT" and expression["literal"]["kind"] == "STRING":
        yield expression["query_location"], expression["literal"]["text"]
    if expression["class"] == "CASE":
        for each in (*(check["then_expr"] for check in expression["case_checks"]), expression["else_expr"]):
            yield from _texts(each)
    if expression["class"] == "CAST":
        yield from _texts(expression["child"])


def _nodes(tree: object) -> Iterator[dict[str, Any]]:
    if isinstance(tree, dict):
        yield tree
    for each in tree.values() if isinstance(tree, dict) else tree if isinstance(tree, list) else ():
        yield from _nodes(each)
