"""The audit of a plan: what a migration counts of what is there, for whoever reads the plan (`Migration.audit`).

Each partition's result is a file; together they are read once, when the plan is judged.
"""

from __future__ import annotations

import json

import duckdb
from pydantic import JsonValue

from ..errors import DeclarationError
from ..rows import duck
from ..run import Part, Run, StepName
from ..run.files import AUDIT_FILES

SHOWN = 1_000
"""Lines of a result that the plan has; all of them are in its CSV file."""


def count(part: Part, run: Run, partition: int) -> None:
    """Write what each query counts in one partition. Raises `DeclarationError` for one that does not run, or whose columns
    are neither text nor whole numbers."""
    for name, path in run.migration.audit.items():
        query = path.read_text(encoding="utf-8").rstrip().rstrip(";")
        try:
            described = part.connection.execute(f"DESCRIBE {query}").fetchall()
            columns = [_column(run, name, str(column), str(type_)) for column, type_, *_ in described]
            part.write(AUDIT_FILES.part(name, partition), f"SELECT {', '.join(columns)} FROM ({query}\n)")
        except duck.OF_NO_SCRIPT:
            raise
        except duckdb.Error as error:
            raise DeclarationError(f"audit {name!r} of {run.migration.id!r} does not run: {error}") from error


def _column(run: Run, audit: str, name: str, type_: str) -> str:
    if type_ == "VARCHAR":
        return duck.identifier(name)
    if type_.endswith(("INT", "INTEGER")):
        return f"CAST({duck.identifier(name)} AS BIGINT) AS {duck.identifier(name)}"
    raise DeclarationError(
        f"audit {audit!r} of {run.migration.id!r}: column {name!r} is of type {type_}; text names a line, whole numbers are summed"
    )


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
