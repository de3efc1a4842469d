"""Constants of a script that are no value of the type that they are taken for: the first row that comes by would end the run.
Found in the plans that DuckDB makes of the queries, over relations without rows."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import duckdb

from ..trueup.declare import Migration
from ..trueup.plan import audit, cost
from ..trueup.run import Run
from ..trueup.testing.relating import relate_partition, related, run_of
from .problem import Problem
from .scripts import made_by, placed_statements
from .sql_tree import nodes, place


def constants(migration: Migration) -> Iterator[Problem]:
    """The problems of constants, and of the queries that no row needs: those of audits, and the scripts of a cost. Raises
    `DeclarationError` for such a query that does not run."""
    run = run_of(migration, {}, None, 1)
    with related(run, {}) as connection:
        for path in migration.shared.values():
            yield from _of_query(connection, path, 0, path.read_text(encoding="utf-8"))
        relate_partition(connection, run, 0)
        for path in (*(derived.query for derived in migration.derived), *migration.audit.values()):
            yield from _of_query(connection, path, 0, path.read_text(encoding="utf-8"))
        for phase in migration.phases:
            connection.begin()
            for path in phase.scripts:
                yield from _of_script(connection, path)
            connection.rollback()
        _ask(connection, run)


def failing_line(migration: Migration, script: Path) -> int | None:
    """The line on which the first statement begins that does not run; None where all of them do, or it is no phase's script."""
    scripts = next((phase.scripts for phase in migration.phases if script in phase.scripts), ())
    if not scripts:
        return None
    run, text = run_of(migration, {}, None, 1), script.read_text(encoding="utf-8")
    with related(run, {}) as connection:
        relate_partition(connection, run, 0)
        for path in scripts:
            for at, query in placed_statements(path.read_text(encoding="utf-8")):
                try:
                    connection.execute(query)
                except duckdb.Error:
                    return text.count("\n", 0, at) + 1 if path == script else None
    return None


def _ask(connection: duckdb.DuckDBPyConnection, run: Run) -> None:
    for name, path in run.migration.audit.items():
        audit.described(connection, run, name, path)
    if run.migration.cost is not None:
        cost.check(connection, run.migration.cost)


def _of_script(connection: duckdb.DuckDBPyConnection, path: Path) -> Iterator[Problem]:
    for at, query in placed_statements(path.read_text(encoding="utf-8")):
        yield from _of_query(connection, path, at, query)
        connection.execute(query)


def _of_query(connection: duckdb.DuckDBPyConnection, path: Path, at: int, query: str) -> Iterator[Problem]:
    makes = made_by(query)
    start = makes.end() if makes else 0
    text = path.read_text(encoding="utf-8")
    try:
        ((plan,),) = connection.execute(
            "SELECT json_serialize_plan(?)", [query[start:].rstrip().rstrip(";")]
        ).fetchall()
    except duckdb.Error:
        return  # what DuckDB cannot write down
    for node in nodes(json.loads(plan)):
        if message := _no_value(connection, node) or _no_zone(connection, node):
            constant = next((place(child) for child in node["children"] if place(child)), place(node))
            yield Problem(path, text.count("\n", 0, at + start + constant) + 1, message)


def _no_value(connection: duckdb.DuckDBPyConnection, node: Mapping[str, Any]) -> str | None:
    """What is said of a cast of a constant that there is not."""
    if node.get("type") != "OPERATOR_CAST" or (node.get("function_data") or {}).get("try_cast"):
        return None
    type_, constant = _named(node["return_type"]), _text(node["children"][0])
    if type_ is None or constant is None:
        return None
    ((fits,),) = connection.execute(f"SELECT TRY_CAST(? AS {type_}) IS NOT NULL", [constant]).fetchall()
    return None if fits else f"{constant!r} is no {type_}, as which it is taken here: the first row would end the run"


def _no_zone(connection: duckdb.DuckDBPyConnection, node: Mapping[str, Any]) -> str | None:
    names = [*(node.get("qname") or {}).get("path", ())]
    zone = _text(node["children"][0]) if names[-1:] == ["timezone"] and node.get("children") else None
    if zone is None:
        return None
    ((known,),) = connection.execute(
        "SELECT count(*) FROM pg_timezone_names() WHERE lower(name) = lower(?)", [zone]
    ).fetchall()
    return None if known else f"there is no time zone {zone!r}: name one as Europe/Berlin, or UTC"


def _named(type_: Mapping[str, Any]) -> str | None:
    """A type of DuckDB's without parts, in SQL."""
    info = type_.get("type_info") or {}
    if type_["id"] == "DECIMAL":
        return f"DECIMAL({info['width']},{info['scale']})"
    return None if info or type_["id"] in ("VARCHAR", "UNKNOWN", "ANY", "SQLNULL", "JSON") else str(type_["id"])


def _text(node: Mapping[str, Any]) -> str | None:
    """The text that a constant is."""
    if node.get("expression_class") != "BOUND_CONSTANT" or node["value"]["is_null"]:
        return None
    return str(node["value"]["value"]) if node["value"]["type"]["id"] == "VARCHAR" else None
