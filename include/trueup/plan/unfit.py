"""A value that a script cannot take, in words: of which source row, in which column of what the script makes, on which line of it.
DuckDB says the value alone, and a place in a query of the engine's; so the rest is looked for, once it has failed."""

from __future__ import annotations

import re
from collections.abc import Iterator

import duckdb

from ..declare import Phase
from ..declare.names import KEY, own
from ..rows import duck, wording
from ..run import Run
from .inputs import as_read

_MAKES_TABLE = re.compile(
    r"\s*(?:--[^\n]*\n\s*|/\*.*?\*/\s*)*CREATE\s+(?:OR\s+REPLACE\s+)?(?:TEMP(?:ORARY)?\s+)?TABLE\s+(?:IF\s+NOT\s+EXISTS\s+)?"
    r'("[^"]+"|\w+)\s+AS\s+',
    re.IGNORECASE | re.DOTALL,
)
_UNMADE = own("unmade")
"""A view of what makes the table that could not be made."""
_OF_A_VALUE = (duckdb.ConversionException, duckdb.InvalidInputException, duckdb.OutOfRangeException)


def words(connection: duckdb.DuckDBPyConnection, run: Run, phase: Phase, error: duckdb.Error) -> str | None:
    """What is said of the error; None where it is not of a value of a source row, in a view that the script makes."""
    if not isinstance(error, _OF_A_VALUE):
        return None
    try:
        connection.execute("SELECT 1")
    except duckdb.TransactionException:
        return None  # nothing can be looked for in a transaction that has failed
    views = [*(output.view for output in phase.outputs), "findings", "figures"]
    names = {
        name for (name,) in connection.execute("SELECT view_name FROM duckdb_views() WHERE NOT internal").fetchall()
    }
    made = [(view, view) for view in views if view in names]
    for view, relation in (*made, *_tables(connection, phase)):
        if (failed := _fails(connection, _columns(connection, relation))) is None:
            continue
        name, query, fault = failed
        key = _source_row(connection, run, phase, query)
        places = [*_line(phase, view, name), f"column {name!r} of {view}" if name else f"what {view} joins or filters"]
        places += [] if key is None else [f"source row {key!r}"]
        return f"{', '.join(places)}: {wording.of_a_value(fault)}{wording.remedy(fault)}"
    return None


def _tables(connection: duckdb.DuckDBPyConnection, phase: Phase) -> Iterator[tuple[str, str]]:
    """The table that a script could not make, as a view of the query that it is made by: its name, and the view's."""
    tables = {name for (name,) in connection.execute("SELECT table_name FROM duckdb_tables()").fetchall()}
    for path in phase.scripts:
        for statement in duckdb.extract_statements(path.read_text(encoding="utf-8")):
            makes = _MAKES_TABLE.match(statement.query)
            if makes is None or makes[1].strip('"') in tables:
                continue
            try:
                connection.execute(f"CREATE OR REPLACE TEMP VIEW {_UNMADE} AS {statement.query[makes.end() :]}")
            except duckdb.Error:
                return  # it is not this one that fails by a value
            yield makes[1].strip('"'), _UNMADE
            return


def _columns(connection: duckdb.DuckDBPyConnection, view: str) -> Iterator[tuple[str, str]]:
    """Queries over no column (the rows themselves), and over each; each with the column's name."""
    yield "", f"SELECT count(*) FROM {duck.identifier(view)}"
    for name, *_ in connection.execute(f"DESCRIBE {duck.identifier(view)}").fetchall():
        yield name, f"SELECT max(hash({duck.identifier(name)})) FROM {duck.identifier(view)}"


def _fails(
    connection: duckdb.DuckDBPyConnection, queries: Iterator[tuple[str, str]]
) -> tuple[str, str, duckdb.Error] | None:
    for name, query in queries:
        if (fault := _error(connection, query)) is not None:
            return name, query, fault
    return None


def _error(connection: duckdb.DuckDBPyConnection, query: str) -> duckdb.Error | None:
    try:
        connection.execute(query).fetchall()
    except _OF_A_VALUE as error:
        return error
    return None


def _source_row(connection: duckdb.DuckDBPyConnection, run: Run, phase: Phase, query: str) -> str | None:
    """The key of the first source row with which the query fails, in the order of keys; None where it fails without any."""
    driver = run.migration.driver(phase)
    name, rows = duck.identifier(driver.id), as_read(driver)

    def fails_with(count: int) -> bool:
        few = f"FROM (FROM {rows} ORDER BY {KEY} LIMIT {count})"
        connection.execute(f"CREATE OR REPLACE TEMP VIEW {name} AS {few}")
        return _error(connection, query) is not None

    try:
        if fails_with(0):
            return None
        good, bad = 0, duck.count(connection, f"SELECT count(*) FROM {rows}")
        if not fails_with(bad):
            return None
        while bad - good > 1:
            middle = (good + bad) // 2
            good, bad = (good, middle) if fails_with(middle) else (middle, bad)
    finally:
        connection.execute(f"CREATE OR REPLACE TEMP VIEW {name} AS FROM {rows}")
    ((key,),) = connection.execute(f"SELECT {KEY} FROM {rows} ORDER BY {KEY} LIMIT 1 OFFSET {bad - 1}").fetchall()
    return str(key)


def _line(phase: Phase, view: str, column: str) -> list[str]:
    """The line on which a script makes the column, in words; none where no line says it."""
    texts = ((path.name, path.read_text(encoding="utf-8")) for path in phase.scripts)
    lines = ((name, line) for name, text in texts if (line := wording.line_of(text, view, column)) is not None)
    return [f"line {line} of {name}" for name, line in lines][:1]
