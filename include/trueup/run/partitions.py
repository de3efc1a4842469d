"""Rows in a run's folder, partition by partition: written, found again, and made relations of DuckDB."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import duckdb
import pyarrow as pa
from pydantic import JsonValue

from ..declare.migration import Source, Table, Target
from ..declare.names import KEY, MISTYPED, PART, WITHOUT_NULLS, own
from ..errors import ArtifactError
from ..rows import duck
from ..stores import arrow_schema
from .files import SNAPSHOT_FILES, Place
from .part import Session
from .run import Run
from .workspace import Artifact, Manifest, RunFolder

WHOLE = "all"
"""The name of the only partition of a look-up."""
READ = "read/"
"""What begins the names by which the manifest of a snapshot says how each table was read (`how_read`)."""


def copy_partitions(
    connection: duckdb.DuckDBPyConnection, query: str, by: Sequence[str] | None, partitions: int, folder: Path
) -> None:
    """Write the query's rows below `folder`, partitioned by a hash of the columns `by` (None: not at all)."""
    if by is None or partitions == 1:  # DuckDB takes half as long again to partition as to write
        (alone := folder / f"{PART}={WHOLE if by is None else 0}").mkdir(parents=True)
        duck.write(connection, query, alone / "rows.parquet")
        return
    query = f"SELECT *, {duck.partition(by, partitions)} AS {PART} FROM ({query})"
    duck.write(connection, query, folder, f", PARTITION_BY ({PART})")


def publish_partitions(run: RunFolder, folder: Path, place: Place, name: str, tail: str) -> list[Artifact]:
    """Publish what `copy_partitions` wrote below `folder` as `<place>/<name>/p<partition>-<tail>-<n>.parquet`."""
    import pyarrow.parquet as pq

    artifacts = []
    for directory in sorted(folder.glob(f"{PART}=*")):
        partition = directory.name.removeprefix(f"{PART}=")
        number = partition if partition == WHOLE else int(partition)
        for n, file in enumerate(sorted(directory.glob("*.parquet"))):
            rows = pq.read_metadata(file).num_rows
            artifacts.append(run.publish(file, place.part(name, number, f"{tail}-{n}"), rows))
    return artifacts


QUERY = "query/"
"""What begins the names by which the manifest of what is shared has the hash of each query."""


def how_read(table: Table, by: Sequence[str] | None) -> dict[str, JsonValue]:
    """How a table is read, and by which columns its rows lie in partitions: what the manifest of a snapshot says of each."""
    columns: dict[str, JsonValue] = {name: str(type_) for name, type_ in table.columns.items()}
    parted: list[JsonValue] | None = None if by is None else [*by]
    return {
        "table": table.name,
        "connection": table.connection,
        "key": [*table.key],
        "columns": columns,
        "partition_by": parted,
    }


def read_otherwise(manifests: Iterable[Manifest], source: Source) -> str:
    """In words, what of a source was declared otherwise when the snapshot of these manifests was read; '' where nothing was,
    or where a former release read it, which noted only which sources it read."""
    how = how_read(source.table, source.partition_by)
    for manifest in manifests:
        if f"{READ}{source.id}" in manifest.facts:
            then = manifest.facts[f"{READ}{source.id}"]
            if others := [
                f"{name} was {then.get(name)!r} and is {how[name]!r}" for name in how if then.get(name) != how[name]
            ]:
                return "; ".join(others)
        elif source.id not in manifest.facts or any(name.startswith(READ) for name in manifest.facts):
            return "it was not declared"
    return ""


def before_files(run: Run, manifests: list[Manifest], target: Target, partition: int | None) -> Iterator[Artifact]:
    """The files of a target's rows as they were before the run, of one partition (None: of all)."""
    same = run.read_with(target)
    return SNAPSHOT_FILES.among(manifests, same.id if same else target.id, partition)


def source_schema(table: Table) -> pa.Schema:
    """The schema of a snapshot's rows: the table's columns in canonical form, `_extra` and `_mistyped` (`arrow_schema`), and
    `_key` (text)."""
    return arrow_schema(table).append(pa.field(KEY, pa.string()))


def relate_source(
    session: Session, source: Source, manifests: list[Manifest], partition: int | None, name: str | None = None
) -> None:
    """Make the source's rows of a partition (None: all; look-ups always all) a relation of its id, or of that name, of the
    shape of `source_schema`. Raises `ArtifactError` where the snapshot was read by another declaration of it: rows that belong
    together would lie apart, or a source would seem to be empty."""
    if others := read_otherwise(manifests, source):
        raise ArtifactError(
            f"source {source.id!r} is declared otherwise than when the run's snapshot was read ({others}): clear the task snapshot "
            "with all that follow it, or trigger the DAG again"
        )
    part = WHOLE if source.partition_by is None else partition
    files = SNAPSHOT_FILES.among(manifests, source.id, part)
    relate_rows(session, name or source.id, files, source.table)


def relate_rows(session: Session, name: str, files: Iterable[Artifact], table: Table) -> None:
    """Make the rows of these files, of the shape of `source_schema`, a relation as scripts and statements see it: an
    attribute that is NULL is null."""
    session.relate(rows := own(f"rows_{name}"), files, source_schema(table))
    session.connection.execute(
        f"CREATE OR REPLACE TEMP VIEW {duck.identifier(name)} AS "
        f"SELECT * REPLACE ({WITHOUT_NULLS}({MISTYPED}) AS {MISTYPED}) FROM {duck.identifier(rows)}"
    )
