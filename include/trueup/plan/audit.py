"""The audit of a plan: what a migration counts of what is there, for whoever reads the plan (`Migration.audit`).

Each partition's result is a file; together they are read once, when the plan is judged.
"""

from __future__ import annotations

import json
from pathlib import Path

import duckdb
from pydantic import JsonValue

from ..errors import DeclarationError
from ..rows import duck, wording
from ..run import Part, Run, StepName
from ..run.files import AUDIT_FILES

SHOWN = 1_000
"""Lines of a result that the plan has; all of them are in its CSV file."""


def count(part: Part, run: Run, partition: int) -> None:
    """Write what each query counts in one partition. Raises `DeclarationError` for one that does not run, or whose columns
    are neither text nor whole numbers."""
    for name, path in run.migration.audit.items():
        query, columns = described(part.connection, run, name, path)
        with wording.asking(_what(run, name), path, part.connection, wording.relations(run.migration)):
            part.write(AUDIT_FILES.part(name, partition), f"SELECT {', '.join(columns)} FROM ({query}\n)")


def described(connection: duckdb.DuckDBPyConnection, run: Run, name: str, path: Path) -> tuple[str, list[str]]:
    """The text of an audit's query, and SQL of what is counted of each of its columns. Raises as `count`."""
    query = wording.query_of(_what(run, name), path)
    with wording.asking(_what(run, name), path, connection, wording.relations(run.migration)):
        types = connection.execute(f"DESCRIBE {query}").fetchall()
    return query, [_column(f"{_what(run, name)}: {path.name}", str(column), str(type_)) for column, type_, *_ in types]


def _what(run: Run, audit: str) -> str:
    return f"audit {audit!r} of {run.migration.id!r}"


def _column(what: str, name: str, type_: str) -> str:
    if type_ == "VARCHAR":
        return duck.identifier(name)
    if type_.endswith(("INT", "INTEGER")):
        return f"CAST({duck.identifier(name)} AS BIGINT) AS {duck.identifier(name)}"
    raise DeclarationError(f"{what}: column {name!r} is of type {type_}; text names a line, whole numbers are summed")


def collect(run: Run) -> dict[str, JsonValue]:
    """What was counted over all partitions, by name: figures by column; or, where the result has text columns, a list of lines,
    in their order. Each list is published whole as CSV."""
    audit: dict[str, JsonValue] = {}
    manifests = run.manifests(StepName.TRANSFORM)
    with run.session() as session:
        for name in run.migration.audit:
            files = session.fetch(AUDIT_FILES.among(manifests, name))
            every = duck.parquet(files, None)
            types = session.connection.execute(f"DESCRIBE {every}").fetchall()
            texts = [duck.identifier(column) for column, type_, *_ in types if type_ == "VARCHAR"]
            sums = [
                f"CAST(sum({duck.identifier(column)}) AS BIGINT) AS {duck.identifier(column)}"
                for column, type_, *_ in types
                if type_ != "VARCHAR"
            ]
            query = f"SELECT {', '.join([*texts, *sums])} FROM ({every}) GROUP BY ALL ORDER BY ALL"
            if not texts:
                query = f"SELECT {', '.join(sums)} FROM ({every})"
            lines = session.connection.execute(
                f"SELECT CAST(to_json(l) AS VARCHAR) FROM ({query}) l LIMIT {SHOWN}"
            ).fetchall()
            values = [json.loads(line) for (line,) in lines]
            audit[name] = values if texts else values[0]
            if texts:
                local = session.scratch / f"{name}.csv"
                session.connection.execute(f"COPY ({query}) TO {duck.literal(str(local))} (FORMAT csv, HEADER)")
                run.folder.publish(local, f"{AUDIT_FILES.of(name)}.csv")
    return audit
