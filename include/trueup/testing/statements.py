"""Whether the statements of a migration can be answered, as far as that can be said without rows."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pyarrow as pa

from ..declare import Migration, Statement
from ..plan.inputs import define_window
from ..rows import duck
from ..run.partitions import source_schema


def unanswerable(migration: Migration) -> Iterator[tuple[Statement, str]]:
    """The statements whose query does not run over what a statement sees, or gives what is no answer, each with why."""
    if not migration.statements:
        return
    keys = pa.schema([("target", pa.string()), ("key", pa.string())])
    relations = {source.id: source_schema(source.table) for source in migration.sources}
    for target in migration.targets:
        relations |= {f"{when}_{target.id}": source_schema(target.table) for when in ("before", "after")}
    with tempfile.TemporaryDirectory() as scratch, duck.connect(Path(scratch)) as connection:
        define_window(connection, None)
        for name, schema in (relations | {"written": keys, "left_alone": keys}).items():
            connection.register(name, schema.empty_table())
        for statement in migration.statements:
            try:
                described = connection.execute(f"DESCRIBE {statement.query}").fetchall()
            except duckdb.Error as error:
                yield statement, f"does not run: {error}"
                continue
            types = [str(type_) for _, type_, *_ in described]
            if len(types) != 1:
                yield statement, f"gives {len(types)} columns; a statement is answered by one value"
            elif statement.code is None and types[0] != "BOOLEAN" and not types[0].endswith(("INT", "INTEGER")):
                yield statement, f"gives {types[0]}; a statement is answered by one boolean or whole number"
