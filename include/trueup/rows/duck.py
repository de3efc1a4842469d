"""DuckDB, bounded: every step's joins, partitions and comparisons run in a connection from here."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import duckdb
import psutil
import pyarrow as pa
from duckdb.func import ARROW, SPECIAL

from ..declare.names import BEFORE, FILE, NUMBER, PREFIX, VERB, fold, own
from ..errors import ArtifactError, MemoryLimitError
from . import forms
from .dynamodb_sizes import text_bytes, text_fault
from .json_column import canonical_column
from .postgres_json import json_fault
from .quoting import identifier as identifier
from .quoting import literal as literal

MEMORY = "TRUEUP_DUCKDB_MEMORY"
"""Environment variable: what one step may hold in memory before it spills to the scratch folder."""

OF_NO_SCRIPT = (duckdb.OutOfMemoryException, duckdb.IOException)
"""What DuckDB raises where no script is at fault; it leaves a connection's block as an error of the engine's."""

MEMORY_MB, WIDE, COLUMN_MB = 400, 150, 2
"""Where the setting is not made: so many megabytes, and of a table of more than `WIDE` columns so many more for each
further one, since DuckDB holds a block of every column in every join at once, however few the rows."""


@cache
def _macros() -> list[duckdb.Statement]:
    """The statements that make the macros, parsed once: that takes as long as to carry them out."""
    with duckdb.connect() as parser:
        return parser.extract_statements(Path(__file__).with_name("macros.sql").read_text(encoding="utf-8"))


def _canonical_json(texts: pa.ChunkedArray) -> pa.Array:
    return canonical_column(texts.combine_chunks())


def memory(columns: int) -> str:
    """What a step may hold in memory over tables of at most so many columns."""
    return os.environ.get(MEMORY) or f"{MEMORY_MB + COLUMN_MB * max(0, columns - WIDE)}MB"


def more_memory() -> str | None:
    """What a step may hold that has run out of `memory`: half of what the machine has left. None where the
    setting is made, or where that would not be more."""
    left = psutil.virtual_memory().available // 2 >> 20
    return None if os.environ.get(MEMORY) or left < 2 * MEMORY_MB else f"{left}MB"


@contextmanager
def connect(scratch: Path, columns: int = 0, limit: str | None = None) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection with the engine's macros and the functions `canonical_json`, `dynamodb_bytes`, `dynamodb_fault`
    and `postgres_json_fault` (`rows/dynamodb_sizes.py`, `rows/postgres_json.py`), in UTC, to a database of its own that spills to
    `scratch`, with no access to extensions from the network. `columns`: how many the widest table of the step has, if it
    is wide; `limit`: what it may hold, where that is not `memory`."""
    config: dict[str, str | bool | int | float | list[str]] = {
        "memory_limit": limit or memory(columns),
        "threads": "2",
        "temp_directory": str(scratch),
        "TimeZone": "UTC",
        "autoinstall_known_extensions": "false",
        "python_enable_replacements": "false",  # a relation that is missing is no variable of ours
        "partitioned_write_flush_threshold": "20000",
    }
    connection = duckdb.connect(config=config)
    try:
        for statement in _macros():
            connection.execute(statement)
        connection.create_function(
            "canonical_json", _canonical_json, ["VARCHAR"], "VARCHAR", type=ARROW, null_handling=SPECIAL
        )
        forms.register(connection)
        document: list[Any] = ["VARCHAR", "BOOLEAN"]
        connection.create_function("dynamodb_bytes", text_bytes, document, "BIGINT", null_handling=SPECIAL)
        connection.create_function("dynamodb_fault", text_fault, document, "VARCHAR", null_handling=SPECIAL)
        connection.create_function("postgres_json_fault", json_fault, ["VARCHAR"], "BOOLEAN", null_handling=SPECIAL)
        with _bounds():
            yield connection
    finally:
        connection.close()


@contextmanager
def _bounds() -> Iterator[None]:
    """What ends at DuckDB's memory or disk names the setting or the file, and no author's script."""
    try:
        yield
    except duckdb.OutOfMemoryException as error:
        raise MemoryLimitError(
            f"a step needs more memory than it may hold: {str(error).splitlines()[0]}. Set the"
            f" environment variable {MEMORY} to more (1GB), or ask for more partitions, so that each is smaller."
        ) from error
    except (duckdb.IOException, FileNotFoundError) as error:  # the latter of Arrow, which looks at a file's columns
        raise ArtifactError(
            f"a step could not read or write a file of its run: {str(error).splitlines()[0]}. Bring it back, or clear the step"
            " that makes it; if it is there, look at the disk."
        ) from error


@contextmanager
def own_errors() -> Iterator[Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]]:
    """A function to put round batches that DuckDB pulls while the block runs. What they raise comes out of the block as
    it was raised: DuckDB makes an error of its own of it, whose class does not say whether another try may help."""
    raised: list[Exception] = []

    def watched(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        try:
            yield from batches
        except Exception as error:
            raised.append(error)
            raise

    try:
        yield watched
    except duckdb.Error as error:
        if raised:
            raise raised[0] from error
        raise


@contextmanager
def connect_to(database: duckdb.DuckDBPyConnection) -> Iterator[duckdb.DuckDBPyConnection]:
    """A further connection to the database of `connect`: what is temporary, relations and macros, is of each connection
    alone; functions are of all, so none may be made here. Opening a database takes 25 ms of computing, this takes none."""
    connection = database.cursor()
    try:
        with _bounds():
            yield connection
    finally:
        connection.close()


def relation(connection: duckdb.DuckDBPyConnection, name: str, files: Sequence[Path], schema: pa.Schema | None) -> None:
    """Make `name` a view of these Parquet files (`parquet`), or of an empty table of `schema` where there are none, in place of
    the view that it may have been."""
    if files:
        rows = parquet(files, schema)
    else:
        given, empty = own("empty"), identifier(own(f"empty_{name}"))
        connection.register(given, (schema or pa.schema([])).empty_table())
        connection.execute(f"CREATE OR REPLACE TEMP TABLE {empty} AS SELECT * FROM {given}")
        connection.unregister(given)
        rows = f"SELECT * FROM {empty}"
    connection.execute(f"CREATE OR REPLACE TEMP VIEW {identifier(name)} AS {rows}")


def parquet(files: Sequence[Path], schema: pa.Schema | None) -> str:
    """SQL: the rows of these Parquet files, of one at least, which are of the columns of `schema`, in its order (None:
    of the columns of the first). Nothing but the files' content reaches a row: not where they lie, not their names.

    Columns of the engine's own that files of an earlier release have by their old names (`_verb`) get the new ones.
    Raises `ArtifactError` for a file of other columns or types."""
    selects: dict[str, list[str]] = {}
    for file in files:
        selects.setdefault("*" if schema is None else _columns(file, schema), []).append(path(file))
    return " UNION ALL ".join(
        f"SELECT {columns} FROM read_parquet([{', '.join(paths)}], hive_partitioning = false, union_by_name = false)"
        for columns, paths in selects.items()
    )


def columns_of(file: Path) -> pa.Schema:
    """The columns that a Parquet file has, the engine's own by their present names."""
    import pyarrow.parquet as pq

    schema = pq.read_schema(file).remove_metadata()
    olds = {"_" + name.removeprefix(PREFIX): name for name in (VERB, BEFORE) if name not in schema.names}
    return pa.schema([field.with_name(olds.get(field.name, field.name)) for field in schema])


def numbered(files: Sequence[Path]) -> str:
    """SQL: the rows of these Parquet files, of one at least, all of the columns of the first (`columns_of`); with each its
    file's place in `files` (`FILE`) and its number in that file, both from 0 (`NUMBER`). Which rows are asked for by number,
    or by a column that the file is sorted by, decides which of its row groups are read."""
    schema = columns_of(files[0])
    columns = _columns(files[0], schema)
    if not {"file_index", "file_row_number"} & {*map(fold, schema.names)}:
        paths = ", ".join(path(file) for file in files)
        return (
            f"SELECT {columns}, file_index AS {FILE}, file_row_number AS {NUMBER} FROM "
            f"read_parquet([{paths}], hive_partitioning = false, union_by_name = false)"
        )
    return " UNION ALL ".join(  # an author's column has the name of DuckDB's
        f"SELECT {columns}, {place} AS {FILE}, row_number() OVER () - 1 AS {NUMBER} FROM ({parquet([file], schema)})"
        for place, file in enumerate(files)
    )


def _columns(file: Path, schema: pa.Schema) -> str:
    """SQL: the columns of `schema` in this file."""
    import pyarrow.parquet as pq

    present = pq.read_schema(file)
    types = dict(zip(present.names, present.types, strict=True))
    columns = []
    for field in schema:
        old = "_" + field.name.removeprefix(PREFIX)
        name = old if field.name.startswith(PREFIX) and field.name not in types else field.name
        if types.pop(name, None) != field.type:
            raise ArtifactError(
                f"{file} does not have the expected columns: {name!r} is not there, or not of type "
                f"{field.type}; another release or another declaration made it, so run again"
            )
        columns.append(identifier(name) if name == field.name else f"{identifier(name)} AS {identifier(field.name)}")
    if types:
        raise ArtifactError(
            f"{file} does not have the expected columns: {', '.join(sorted(types))} are not declared; another "
            "release or another declaration made it, so run again"
        )
    return ", ".join(columns)


def path(file: Path) -> str:
    """SQL: exactly this file, though its path has characters that stand for others."""
    return literal("".join(f"[{c}]" if c in "[*?" else c for c in str(file)))


def write(connection: duckdb.DuckDBPyConnection, query: str, file: Path, more: str = "") -> int:
    """Write what the query gives to a Parquet file; its rows."""
    to = f"{literal(str(file))} (FORMAT parquet, COMPRESSION zstd{more})"
    return count(connection, f"COPY ({query}\n) TO {to}")


def place(columns: Sequence[str]) -> str:
    """SQL for the number (UBIGINT) that decides a row's partition, the same on every machine and in every version."""
    values = ", ".join(f"CAST({identifier(c)} AS VARCHAR)" for c in columns)
    return f"md5_number_lower(concat_ws(chr(31), {values}))"


def partition(columns: Sequence[str], partitions: int) -> str:
    """SQL for the partition (0 … partitions-1) of a row."""
    return f"CAST({place(columns)} % {partitions} AS INTEGER)"


def count(connection: duckdb.DuckDBPyConnection, query: str) -> int:
    """The single number that the query gives."""
    ((number,),) = connection.execute(query).fetchall()
    return int(number or 0)
