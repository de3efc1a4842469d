"""Texts that a script brings into a column of another type as they are: each that is none of that type rejects its row, which is
fine where it is meant. `make check` notes them, and refuses none."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import duckdb

from ..trueup.declare import Migration, Phase, Type
from ..trueup.declare.names import fold
from .problem import Problem
from .scripts import made_by, placed_statements
from .sql_tree import columns, place

_KINDS = {
    **dict.fromkeys((Type.NUMBER, Type.INTEGER, Type.FLOAT), "number"),
    **dict.fromkeys((Type.DATE, Type.DATETIME, Type.TIMESTAMP), "date"),
    Type.BOOLEAN: "true or false",
}


def bare_texts(migration: Migration) -> Iterator[Problem]:
    """The columns of rows that are a text column of the source as it is, and of a type that not every text has."""
    with duckdb.connect() as connection:
        for phase in migration.phases:
            for path in phase.scripts:
                text = path.read_text(encoding="utf-8")
                for at, query in placed_statements(text):
                    for offset, message in _of_statement(connection, migration, phase, query):
                        yield Problem(path, text.count("\n", 0, at + offset) + 1, message)


def _of_statement(
    connection: duckdb.DuckDBPyConnection, migration: Migration, phase: Phase, query: str
) -> Iterator[tuple[int, str]]:
    makes = made_by(query)
    output = next((each for each in phase.outputs if makes and fold(each.view) == fold(makes[1])), None)
    if makes is None or output is None:
        return
    ((tree,),) = connection.execute("SELECT json_serialize_sql(?)", [query[makes.end() :]]).fetchall()
    parsed: dict[str, Any] = json.loads(tree)
    driver, target = migration.driver(phase), migration.target(output.target).table
    texts = {fold(name) for name, type_ in driver.columns.items() if type_ is Type.TEXT}
    for name, type_ in target.columns.items():
        for statement in parsed.get("statements", ()):
            for select, expression in columns(statement["node"], fold(name)):
                read = fold((select.get("from_table") or {}).get("table_name", ""))
                given = expression.get("column_names") or [""]
                if type_ in _KINDS and read == fold(driver.id) and fold(given[-1]) in texts:
                    rejects = f"a text that is no {_KINDS[type_]} rejects its row, unwritable"
                    how = "docs/how-to/dirty-text.md says how to read it"
                    yield (
                        makes.end() + place(expression),
                        f"{given[-1]} is text, and {name} of {target.name} is not: {rejects} ({how})",
                    )
