"""What a transform sees, each a relation: sources, shared and derived relations, params and constants, the targets."""

from __future__ import annotations

import inspect
from typing import Any

import duckdb
import pyarrow as pa
from duckdb.func import SPECIAL

from ..declare.migration import Derived, Source
from ..declare.names import EXTRA, fold, own
from ..errors import ArtifactError, DeclarationError
from ..rows import changing, digits, duck, wording
from ..rows.digits import NEIGHBOUR
from ..rows.statements import Statements
from ..run import Run, Session, StepName, Window
from ..run.artifacts import sha256_of
from ..run.files import shared_name
from ..run.partitions import QUERY, relate_source
from ..stores import key_text
from . import casting
from .duck_types import SQL as SQL
from .duck_types import cast as cast

_SQL = Statements(__file__)
_GIVEN = own("given_by_query")
"""Table: what the query of a derived relation gives, before it is of the declared types."""


def relate(session: Session, run: Run, partition: int, neighbour: str | None = None) -> None:
    """Make everything that a transform sees a relation: sources, shared and derived relations, the still empty targets,
    and `undeclared` (source, name), the columns that stores have and sources do not declare. `neighbour` (`rows/digits.py`): what
    stands in place of each number of a source that a double holds as another."""
    migration, connection = run.migration, session.connection
    snapshot = run.manifests(StepName.SNAPSHOT)
    for source in migration.sources:
        relate_source(session, source, snapshot, partition, name=as_read(source))
        if neighbour is not None:
            replace_numbers(connection, source, neighbour)
        show(connection, source)
    if migration.shared:
        (computed,) = run.manifests(StepName.SHARED)
        for name, path in migration.shared.items():
            if computed.facts.get(f"{QUERY}{name}", by := sha256_of(path)) != by:  # a former release noted none
                raise ArtifactError(
                    f"shared {name!r} was computed by another query than {path.name} is now: clear the task shared with all that"
                    " follow it, or trigger the DAG again"
                )
        for artifact in computed.files:
            name, _, of_neighbour = shared_name(artifact).partition(NEIGHBOUR)
            if of_neighbour == (neighbour or ""):
                session.relate(name, [artifact], None)
    relate_given(connection, run)
    undeclared = run.files.start.undeclared
    named = [(source, name) for source, names in undeclared.items() for name in names]
    connection.execute("CREATE TEMP TABLE undeclared (source VARCHAR, name VARCHAR)")
    if named:
        connection.executemany("INSERT INTO undeclared VALUES (?, ?)", named)
    define_window(connection, run.options.window)
    relate_made(connection, run, partition)


def relate_made(connection: duckdb.DuckDBPyConnection, run: Run, partition: int) -> None:
    """Make what is computed from the sources relations, the derived ones, and the targets, which are empty."""
    migration = run.migration
    for derived in migration.derived:
        columns = ", ".join(cast(c, t) for c, t in derived.columns.items())
        what, relations = f"derived {derived.id!r}", wording.relations(migration)
        changing.refuse(what, derived.query, migration)
        query = wording.query_of(what, derived.query)
        only = "true"
        if derived.partition_by is not None:
            only = f"{duck.partition(derived.partition_by, run.partitions)} = {partition}"
        parts = {"relation": as_read(derived), "columns": columns, "key_text": key_text(derived.key), "given": _GIVEN}
        types = {name: SQL[type_] for name, type_ in derived.columns.items()}
        with wording.asking(what, derived.query, connection, relations, types):
            connection.execute(_SQL("given", given=_GIVEN, query=query, only=only))
            _refuse_lossy(connection, derived)
            connection.execute(_SQL("derived", **parts))
            connection.execute(f"DROP TABLE {_GIVEN}")
        show(connection, derived)
    for target in migration.targets:
        columns = ", ".join(f"{duck.identifier(c)} {SQL[t]}" for c, t in target.table.columns.items())
        connection.execute(f"CREATE TEMP TABLE {duck.identifier(target.id)} ({columns}, {EXTRA} VARCHAR)")


def _refuse_lossy(connection: duckdb.DuckDBPyConnection, derived: Derived) -> None:
    """Raise `DeclarationError` where what the query gives (`_GIVEN`) would be another value in the type that is declared."""
    what = f"derived {derived.id!r}"
    given = {fold(row[0]): row[1] for row in connection.execute(f"DESCRIBE {_GIVEN}").fetchall()}
    types = {name: given[fold(name)] for name in derived.columns if fold(name) in given}
    if len(types) < len(derived.columns):
        return  # told by name where the columns are taken
    casting.refuse_lossy(what, derived.columns, derived.query.name, types)
    values, _, fault = casting.columns(derived.columns, types, dynamodb=False)
    faults = f"SELECT {key_text(derived.key)}, {fault} AS fault FROM (SELECT {values} FROM {_GIVEN})"
    first = f"SELECT * FROM ({faults}) WHERE fault IS NOT NULL ORDER BY ALL LIMIT 1"
    for key, message in connection.execute(first).fetchall():
        raise DeclarationError(f"{what}: {key}: {message}; say in {derived.query.name} what is meant")


def as_read(driver: Source | Derived) -> str:
    """The relation of what was read, by which the engine counts, whatever a script makes of the one of that id."""
    return own(f"of_{driver.id}")


def show(connection: duckdb.DuckDBPyConnection, driver: Source | Derived) -> None:
    """What was read, under the id by which a script knows it."""
    connection.execute(f"CREATE TEMP VIEW {duck.identifier(driver.id)} AS FROM {as_read(driver)}")


def replace_numbers(connection: duckdb.DuckDBPyConnection, source: Source, neighbour: str) -> None:
    """Put a neighbour in place of each number of what was read that a double holds as another."""
    replaced = digits.replaced(as_read(source), source.columns, neighbour, key_text(source.key))
    connection.execute(f"CREATE TEMP TABLE {own(f'neighbour_{source.id}')} AS {replaced}")
    connection.execute(f"CREATE OR REPLACE TEMP VIEW {as_read(source)} AS FROM {own(f'neighbour_{source.id}')}")


def relate_given(connection: duckdb.DuckDBPyConnection, run: Run) -> None:
    """Make the run's params and the declaration's constants relations, and its functions functions."""
    chosen = {param.id: run.options.params.get(param.id, param.default) for param in run.migration.params}
    given: dict[str, list[dict[str, str | None]]] = {
        "params": [{"id": id, "value": None if value is None else str(value)} for id, value in chosen.items()]
    }
    for name, rows in (given | {name: [*map(dict, rows)] for name, rows in run.migration.constants.items()}).items():
        columns = [*rows[0]] if rows else ["id", "value"]
        table = pa.table({column: pa.array([row[column] for row in rows], pa.string()) for column in columns})
        connection.register(own("given"), table)
        connection.execute(f"CREATE TEMP TABLE {duck.identifier(name)} AS SELECT * FROM {own('given')}")
        connection.unregister(own("given"))
    for name, function in run.migration.functions.items():
        texts: list[Any] = ["VARCHAR"] * len(inspect.signature(function).parameters)
        try:
            connection.create_function(name, function, texts, "VARCHAR", null_handling=SPECIAL)
        except duckdb.CatalogException as error:
            raise DeclarationError(
                f"migration {run.migration.id!r}: function {name!r} is one of DuckDB's or Trueup's already; "
                "give it another name"
            ) from error


def define_window(connection: duckdb.DuckDBPyConnection, window: Window | None) -> None:
    """`in_window(instant)`: whether the run is about it."""
    condition = "true"
    if window is not None:
        start, end = (f"CAST({duck.literal(t.isoformat())} AS TIMESTAMPTZ)" for t in (window.start, window.end))
        condition = _SQL("in_window", start=start, end=end)
    connection.execute(f"CREATE OR REPLACE TEMP MACRO in_window(instant) AS {condition}")
