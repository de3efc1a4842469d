"""Rows in a run's folder, partition by partition: written, found again, and made relations of DuckDB."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from ..declare.migration import Source, Table, Target
from ..declare.names import KEY, MISTYPED, PART, WITHOUT_NULLS, own
from ..rows import duck
from ..stores import arrow_schema
from .files import SNAPSHOT_FILES, Place
from .run import Run
from .workspace import Artifact, Manifest, RunFolder

WHOLE = "all"
"""The name of the only partition of a look-up."""


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


def files_of(
    run: Run, manifests: list[Manifest], prefix: str, partition: int | str | None, scratch: Path
) -> list[Path]:
    """Local paths of the files below `prefix` of one partition (None: of all), checked against their manifests."""
    part = "" if partition is None else f"p{partition if isinstance(partition, str) else f'{partition:03}'}-"
    wanted = f"{prefix}/{part}"
    return [run.folder.fetch(f, scratch) for m in manifests for f in m.files if f.path.startswith(wanted)]


def before_files(
    run: Run, manifests: list[Manifest], target: Target, partition: int | None, scratch: Path
) -> list[Path]:
    """The files of a target's rows as they were before the run, of one partition (None: of all)."""
    same = run.read_with(target)
    return files_of(run, manifests, SNAPSHOT_FILES.of(same.id if same else target.id), partition, scratch)


def source_schema(table: Table) -> pa.Schema:
    """The schema of a snapshot's rows."""
    return arrow_schema(table).append(pa.field(KEY, pa.string()))


def relate_source(
    connection: Any,
    run: Run,
    source: Source,
    manifests: list[Manifest],
    partition: int | None,
    scratch: Path,
    name: str | None = None,
) -> None:
    """Make the source's rows of a partition (None: all; look-ups always all) a relation of its id, or of that name."""
    part = WHOLE if source.partition_by is None else partition
    files = files_of(run, manifests, SNAPSHOT_FILES.of(source.id), part, scratch)
    relate_rows(connection, name or source.id, files, source_schema(source.table))


def relate_rows(connection: Any, name: str, files: Sequence[Path], schema: pa.Schema) -> None:
    """Make the rows of these files a relation as scripts and statements see it: an attribute that is NULL is null."""
    duck.relation(connection, rows := own(f"rows_{name}"), files, schema)
    connection.execute(
        f"CREATE OR REPLACE TEMP VIEW {duck.identifier(name)} AS "
        f"SELECT * REPLACE ({WITHOUT_NULLS}({MISTYPED}) AS {MISTYPED}) FROM {duck.identifier(rows)}"
    )
