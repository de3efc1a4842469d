"""`make check` of the tables themselves, where a connection is given: whatever a run's preflight would refuse."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

from ..trueup.declare import Migration, Table, columns
from ..trueup.declare.names import one_of
from ..trueup.errors import SourceError
from ..trueup.run import Options, Run
from ..trueup.walk.preflight import look_at_source, look_at_target
from .problem import Problem

if TYPE_CHECKING:
    from ..trueup.stores import Store

_THERE = Table(
    name="information_schema.tables",
    connection="",
    key=("table_schema", "table_name"),
    columns=columns(text="table_schema table_name"),
)


def tables(migration: Migration, stores: Mapping[str, Store], folder: Path) -> Iterator[Problem]:
    """What is wrong with the tables behind these connections: those that are not there, columns that are not there or of
    another type, keys, rights. Nothing is read but catalogues."""
    run = cast(
        "Run",
        SimpleNamespace(migration=migration, options=Options(), undoes=None, store_of=lambda t: stores[t.connection]),
    )
    reported: set[str] = set()
    looks: list[tuple[Table, Callable[[], object]]] = [
        (source.table, partial(look_at_source, run, source)) for source in migration.sources
    ]
    looks += [(target.table, partial(look_at_target, run, target)) for target in migration.targets]
    for table, look in looks:
        if table.connection not in stores:
            continue
        try:
            look()
        except SourceError as error:
            text = str(error)
            if stores[table.connection].describe(table) is None:
                text += f"; {one_of(table.name, _names(stores[table.connection]))}"
            if text not in reported:
                reported.add(text)
                yield _placed(folder, table, text)


def _names(store: Store) -> list[str]:
    """The tables that are there, as a declaration names them."""
    if store.kind == "dynamodb":
        return list(cast("Any", store).client.list_tables()["TableNames"])
    rows = [row for batch in store.read(_THERE, 0, 1) for row in batch.to_pylist()]
    schemas = {row["table_schema"] for row in rows if row["table_schema"] not in ("information_schema", "pg_catalog")}
    return [
        row["table_name"] if row["table_schema"] == "public" else f"{row['table_schema']}.{row['table_name']}"
        for row in rows
        if row["table_schema"] in schemas
    ]


def _placed(folder: Path, table: Table, text: str) -> Problem:
    """The problem at the line of the declaration that names the table."""
    file = folder / "migration.py"
    lines = enumerate(file.read_text(encoding="utf-8").splitlines(), 1)
    named = (number for number, line in lines if f'"{table.name}"' in line or f"'{table.name}'" in line)
    return Problem(file, next(named, None), text)
