"""Which source rows a run with a window is about, and which are in no window at all."""

from __future__ import annotations

import duckdb

from ..declare.migration import Derived, Source, Type
from ..declare.names import KEY, MISTYPED
from ..rows import duck
from .inputs import as_read

UNREADABLE_WINDOW = "unreadable_window"
"""Code of the warning on a row that no run with a window is about, since its instant cannot be read."""


def mark(connection: duckdb.DuckDBPyConnection, driver: Source | Derived, wanted: str) -> None:
    """The view `wanted`: the keys of the source rows that this run is about."""
    where = ""
    if driver.window is not None:
        column = duck.identifier(driver.window)
        if driver.columns[driver.window] is Type.TEXT:
            column = f"iso_instant({column})"
        where = f"WHERE in_window({column})"
    query = f"SELECT {KEY} FROM {as_read(driver)} {where}"
    connection.execute(f"CREATE OR REPLACE TEMP VIEW {wanted} AS {query}")


def tell_unreadable(connection: duckdb.DuckDBPyConnection, driver: Source | Derived, findings: str) -> None:
    """A warning on each source row that is in no window, since its instant is missing or cannot be read."""
    window = driver.window
    if window is None:
        return
    column = duck.identifier(window)
    instant = f"iso_instant({column})" if driver.columns[window] is Type.TEXT else column
    path = "/" + window.replace("~", "~0").replace("/", "~1")
    odd = f"json_extract({MISTYPED}, {duck.literal(path)})" if isinstance(driver, Source) else "NULL"
    shown = f"coalesce(CAST({column} AS VARCHAR), CAST({odd} AS VARCHAR), 'nothing')"
    connection.execute(
        f"INSERT INTO {findings} SELECT {KEY}, {KEY}, 'warning', '{UNREADABLE_WINDOW}', 'row ' || {KEY} || ' of ' || "
        f"{duck.literal(driver.name)} || ' is in no window, whatever its dates: ' || {duck.literal(window)} || ' holds ' || "
        f"{shown} || '. Correct it, or migrate the row by a run without a window.' "
        f"FROM {as_read(driver)} WHERE {instant} IS NULL"
    )
