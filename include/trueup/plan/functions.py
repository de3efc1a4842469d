"""A transform that is a function on pandas frames: what it is given, what it may give, and where that becomes relations.

Frames are Arrow-backed, of one partition, and hold what a script would see: numbers as text, every digit. What comes back is
taken only if it says what it means: a float is no number of a target that declares NUMBER or INTEGER, a NaN is no null, an
index is no column. It is made twice, the second time from rows in the opposite order, and must be the same.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa

from ..declare import pure
from ..declare.migration import Phase, Target, Type
from ..declare.names import EXTRA, KEY, MISTYPED, SOURCE_KEY, own
from ..errors import DeclarationError
from ..rows import duck
from ..run import Run
from ..stores import key_text
from .inputs import as_read

_FINDINGS = dict.fromkeys(("_source", "key", "severity", "code", "message"), Type.TEXT)
_FIGURES = {"name": Type.TEXT, "value": Type.INTEGER}
_TEXT = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view)
_NUMBER = (*_TEXT, pa.types.is_integer, pa.types.is_decimal)
_TAKEN: dict[Type, tuple[tuple[Callable[[pa.DataType], bool], ...], str]] = {
    Type.TEXT: (_TEXT, "text"),
    Type.JSON: (_TEXT, "JSON as text"),
    Type.NUMBER: (_NUMBER, "a number as text, as a decimal or as an integer"),
    Type.INTEGER: (_NUMBER, "an integer (int64[pyarrow], where there are nulls), or a number as text"),
    Type.FLOAT: ((pa.types.is_floating,), "a float (double[pyarrow])"),
    Type.BOOLEAN: ((pa.types.is_boolean,), "a boolean (bool[pyarrow], where there are nulls)"),
    Type.TIMESTAMP: ((lambda t: pa.types.is_timestamp(t) and t.tz is not None,), "a timestamp with its time zone"),
    Type.DATETIME: ((lambda t: pa.types.is_timestamp(t) and t.tz is None,), "a timestamp without time zone"),
    Type.DATE: ((pa.types.is_date,), "a date (date32[pyarrow])"),
    Type.BINARY: ((pa.types.is_binary, pa.types.is_large_binary), "bytes (binary[pyarrow])"),
}
"""Of each type, the Arrow types whose every value it holds, and what they are in words."""
_AGAIN = own("again")


def define(connection: duckdb.DuckDBPyConnection, run: Run, phase: Phase) -> None:
    """Call the phase's function on this partition, and make tables of what it gives, as a script makes views.

    Raises `DeclarationError` for whatever it gives that could be taken for something else."""
    assert phase.function is not None  # it is a phase with one
    wanted = {output.view: run.migration.target(output.target) for output in phase.outputs}
    first = _called(connection, phase, phase.function, wanted, backwards=False)
    for name, table in first.items():
        _make(connection, name, table)
    _check_sources(connection, run, phase, wanted, [*first])
    again = _called(connection, phase, phase.function, wanted, backwards=True)
    if again.keys() != first.keys():
        raise DeclarationError(f"{_what(phase)} is not pure: it gave {sorted(first)}, and called again {sorted(again)}")
    for name, table in again.items():
        _make(connection, _AGAIN, table)
        _check_same(connection, phase, name, first[name].column_names)
        connection.execute(f"DROP TABLE {_AGAIN}")


def _called(
    connection: duckdb.DuckDBPyConnection,
    phase: Phase,
    function: Callable[..., Any],
    wanted: Mapping[str, Target],
    *,
    backwards: bool,
) -> dict[str, pa.Table]:
    order = " ORDER BY row_number() OVER () DESC" if backwards else ""
    frames = {
        name: connection.sql(f"FROM {duck.identifier(name)}{order}")
        .to_arrow_table()
        .to_pandas(types_mapper=pd.ArrowDtype)
        for name in pure.parameters(function)
    }
    try:
        frames_by_name = function(**frames)
    except Exception as error:
        at = next(
            (f for f in reversed(traceback.extract_tb(error.__traceback__)) if f.filename in _files(function)), None
        )
        where = f" (line {at.lineno} of {Path(at.filename).name})" if at else ""
        raise DeclarationError(f"{_what(phase)} raised {type(error).__name__}{where}: {error}") from error
    return _tables(phase, frames_by_name, wanted)


def _files(function: Callable[..., Any]) -> set[str]:
    return set(map(str, pure.files(function)))


def _tables(phase: Phase, result: Any, wanted: Mapping[str, Target]) -> dict[str, pa.Table]:
    """What the function gave as Arrow, by name."""
    if not isinstance(result, Mapping) or not all(isinstance(frame, pd.DataFrame) for frame in result.values()):
        raise DeclarationError(
            f"{_what(phase)} gives {type(result).__name__}, not a dict of frames by name: "
            f"{{{', '.join(f'{name!r}: …' for name in (*wanted, 'findings'))}}}"
        )
    if missing := sorted({*wanted} - {*result}):
        raise DeclarationError(f"{_what(phase)} gives no frame {missing[0]!r}; it gives {sorted(map(str, result))}")
    if unknown := sorted({*map(str, result)} - {*wanted, "findings", "figures"}):
        raise DeclarationError(
            f"{_what(phase)} gives a frame {unknown[0]!r}, which means nothing; it may give "
            f"{', '.join((*wanted, 'findings', 'figures'))}"
        )
    types: dict[str, Mapping[str, Type]] = {"findings": _FINDINGS, "figures": _FIGURES}
    for view, target in wanted.items():
        types[view] = {**target.table.columns, SOURCE_KEY: Type.TEXT, EXTRA: Type.JSON, MISTYPED: Type.JSON}
    return {name: _table(phase, name, frame, types[name]) for name, frame in result.items()}


def _table(phase: Phase, name: str, frame: pd.DataFrame, types: Mapping[str, Type]) -> pa.Table:
    what = f"{_what(phase)}: frame {name!r}"
    index = frame.index
    if isinstance(index, pd.MultiIndex) or index.name is not None or not pd.api.types.is_integer_dtype(index.dtype):
        raise DeclarationError(
            f"{what} has an index of its own ({', '.join(map(str, index.names))}, {index.dtype}), which would be lost: make it "
            "columns (reset_index()), or drop it (reset_index(drop=True))"
        )
    names = [*frame.columns]
    if strange := [n for n in names if not isinstance(n, str) or names.count(n) > 1]:
        raise DeclarationError(
            f"{what} has the column {strange[0]!r} {'twice' if isinstance(strange[0], str) else '(no text)'}"
        )
    required = {*types} if name in ("findings", "figures") else {SOURCE_KEY}
    if missing := [n for n in types if n in required and n not in names]:
        raise DeclarationError(f"{what} lacks the columns {missing}; it has {names}")
    return pa.table({n: _column(frame[n], types.get(n), f"{what}, column {n!r}") for n in names})


def _column(values: pd.Series, type_: Type | None, where: str) -> pa.ChunkedArray:
    """The column as Arrow, of a type whose every value the declared one holds; of one that nobody declares (None) as it is."""
    if values.dtype == object:
        values = _of_objects(values, type_, where)
    elif isinstance(values.dtype, np.dtype) and values.dtype.kind == "f" and values.isna().any():
        raise DeclarationError(
            f"{where} is {values.dtype} with NaN in it, which may be a null or a NaN: give it a type that has nulls "
            "(double[pyarrow], int64[pyarrow], string[pyarrow]), or None"
        )
    if values.empty:
        return pa.chunked_array([pa.array([], pa.string())])  # a frame without rows says nothing of its types
    array = pa.Table.from_pandas(values.to_frame("c"), preserve_index=False).column("c")
    if pa.types.is_dictionary(array.type):
        array = array.cast(array.type.value_type)
    if type_ is None or pa.types.is_null(array.type):
        return array
    fits, words = _TAKEN[type_]
    if not any(fit(array.type) for fit in fits):
        rounds = " A float has 53 bits, so digits are lost." if pa.types.is_floating(array.type) else ""
        raise DeclarationError(
            f"{where} is {values.dtype} ({array.type}), but Type.{type_.name} is declared: give {words}.{rounds}"
        )
    if pa.types.is_decimal(array.type):
        return pa.chunked_array([pa.array([None if v is None else str(v) for v in array.to_pylist()], pa.string())])
    if pa.types.is_timestamp(array.type) and array.type.unit != "us":
        try:
            return array.cast(pa.timestamp("us", array.type.tz))
        except pa.ArrowInvalid as error:
            raise DeclarationError(
                f"{where} has more digits than microseconds, which would be lost: {error}"
            ) from error
    return array


def _of_objects(values: pd.Series, type_: Type | None, where: str) -> pd.Series:
    """The same of one Arrow type: null is None or NA, and a number is its text."""
    plain: list[object] = []
    for row, value in enumerate(values):
        if value is None or value is pd.NA or value is pd.NaT:
            plain.append(None)
        elif isinstance(value, float) and value != value:
            raise DeclarationError(
                f"{where} has a NaN in row {row}: null is None (or pd.NA), and a NaN is no value here"
            )
        elif type_ in (Type.NUMBER, Type.INTEGER) and isinstance(value, Decimal | int) and not isinstance(value, bool):
            plain.append(str(value))
        else:
            plain.append(value)
    try:
        array = pa.array(plain)
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError) as error:
        kinds = sorted({type(value).__name__ for value in plain if value is not None})
        raise DeclarationError(f"{where} holds values of several types ({', '.join(kinds)}): {error}") from error
    return pd.Series(array, dtype=pd.ArrowDtype(array.type), index=values.index)


def _make(connection: duckdb.DuckDBPyConnection, name: str, table: pa.Table) -> None:
    given = own("given")
    connection.register(given, table)
    connection.execute(f"CREATE TEMP TABLE {duck.identifier(name)} AS FROM {given}")
    connection.unregister(given)


def _check_sources(
    connection: duckdb.DuckDBPyConnection, run: Run, phase: Phase, wanted: Mapping[str, Target], made: list[str]
) -> None:
    """Raise `DeclarationError` where a row is of no source row of this partition, or one makes a target row twice."""
    driver = as_read(run.migration.driver(phase))
    for name in (n for n in made if n in wanted or n == "findings"):
        strange = f"FROM {name} WHERE CAST({SOURCE_KEY} AS VARCHAR) NOT IN (SELECT {KEY} FROM {driver})"
        if name in wanted:
            strange += f" OR {SOURCE_KEY} IS NULL"
        for key, count in connection.execute(
            f"SELECT any_value({SOURCE_KEY}), count(*) {strange} HAVING count(*) > 0"
        ).fetchall():
            raise DeclarationError(
                f"{_what(phase)}: {count:,} rows of {name!r} are of no row of {phase.source!r} in this partition ({SOURCE_KEY} is "
                f"{key!r}); {SOURCE_KEY} is the {KEY} of the source row that the row accounts for"
            )
    for name, target in wanted.items():
        columns = {row[0] for row in connection.execute(f"DESCRIBE {name}").fetchall()}
        if not columns >= {*target.table.key}:
            continue  # told by name where the rows are collected
        texts = ", ".join(f"CAST({duck.identifier(c)} AS VARCHAR) AS {duck.identifier(c)}" for c in target.table.key)
        twice = (
            f"SELECT {key_text(target.table.key)}, {SOURCE_KEY}, count(*) FROM (SELECT {texts}, {SOURCE_KEY} FROM {name}) "
            "GROUP BY ALL HAVING count(*) > 1 ORDER BY ALL LIMIT 1"
        )
        for key, source, count in connection.execute(twice).fetchall():
            raise DeclarationError(
                f"{_what(phase)}: {name!r} has {count:,} rows of the key {key!r}, all of source row {source!r}; a target row is made "
                "once. Look for a merge on columns that are not unique"
            )


def _check_same(connection: duckdb.DuckDBPyConnection, phase: Phase, name: str, columns: list[str]) -> None:
    listed = ", ".join(f"CAST({duck.identifier(c)} AS VARCHAR)" for c in columns)
    once, again = (f"SELECT {listed} FROM {table}" for table in (duck.identifier(name), _AGAIN))
    for a, b in ((once, again), (again, once)):
        if (count := duck.count(connection, f"SELECT count(*) FROM ({a} EXCEPT ALL {b})")) > 0:
            raise DeclarationError(
                f"{_what(phase)} is not pure: called again on the same rows, in another order, {count:,} rows of {name!r} are "
                "others. Sort by a key where the order of rows matters (first, head, drop_duplicates), and use no clock and no "
                "random numbers"
            )


def _what(phase: Phase) -> str:
    return f"phase {phase.id!r}: transform {getattr(phase.function, '__name__', '')}()"
