"""Preflight and snapshot: what is there, read once, in parallel, into Parquet.

A source's rows go to `snapshot/<source>/p<partition>-s<segment>….parquet`, where the partition is a hash of the columns
that the declaration partitions by; look-ups go whole to partition `all`. The targets' rows are read too, partitioned by
a hash of their key. Nothing here writes to a store.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from . import duck
from .errors import SourceError
from .model import KEY, Phase, Source, Table
from .run import MAX_PARTS, Mode, Options, Run
from .stores import arrow_schema, key_text
from .workspace import Artifact, Manifest, RunFolder

log = logging.getLogger(__name__)

ROWS_PER_PARTITION = 150_000
"""What a partition is aimed to hold: enough to be worth a task, little enough for its memory."""
READERS = 2
"""Tables read at once by one task: one waits for the store while the other is turned into Arrow."""
WHOLE = "all"
"""The name of the only partition of a look-up."""


def preflight(run: Run, triggered_by: str | None = None) -> Options:
    """Enter the run in the ledger, see that its sources are what the migration declares, take the hold on its targets
    (mode apply), and choose segments and partitions; the options with them chosen.

    Raises `SourceError` for a missing or different source or a target of another shape, `TargetHeldError`, `StatusError`.
    """
    run.ledger.upgrade()
    run.ledger.begin(
        run.id,
        migration_id=run.migration.id,
        dag_id=run.dag_id,
        triggered_by=triggered_by,
        options=run.options.to_json(),
    )
    with run.ledger.step(run.id, "preflight", "0"):
        if run.options.mode is Mode.APPLY:
            run.ledger.hold(run.id, [run.identity(t) for t in run.migration.targets], holder=run.holder)
        estimate, unknown = 0, False
        for source in run.migration.sources:
            found = run.store_of(source.table).describe(source.table)
            if found is None:
                raise SourceError(
                    f"table {source.table.name!r} (source {source.id!r}, connection {source.table.connection!r}) does not exist; "
                    "check the connection's region and endpoint, or create the table if it should be empty"
                )
            if found.key != source.table.key:
                raise SourceError(
                    f"table {source.table.name!r} has key {found.key}, but {source.id!r} declares {source.table.key}"
                )
            estimate += found.estimated_rows or 0
            unknown |= found.estimated_rows is None
        present = []
        for target in run.migration.targets:
            found = run.store_of(target.table).describe(target.table)
            if found is not None:
                if found.key != target.table.key:
                    raise SourceError(
                        f"target {target.table.name!r} exists with key {found.key}, but {target.table.key} is declared"
                    )
                present.append(target.id)
                estimate += found.estimated_rows or 0
        partitions = run.options.partitions or _parts(estimate, unknown)
        options = replace(
            run.options, partitions=partitions, segments=run.options.segments or _parts(estimate, unknown)
        )
        run.ledger.choose(run.id, options.to_json())
        # the size of a batch is fixed here, once: batches are known by their number, whoever writes them
        batch_rows = {t.id: run.store_of(t.table).batch_rows for t in run.migration.targets}
        about = {"options": options.to_json(), "targets_present": present, "batch_rows": batch_rows}
        run.folder.write("run.json", json.dumps(about, indent=1))
    return options


def _parts(estimate: int, unknown: bool) -> int:
    wanted = -(-estimate // ROWS_PER_PARTITION)
    return max(4 if unknown else 2, min(wanted, 64, MAX_PARTS))


@dataclass(frozen=True, kw_only=True)
class _Read:
    """A table to be read, and how its rows are partitioned."""

    id: str
    table: Table
    partition_by: tuple[str, ...] | None


def snapshot(run: Run, segment: int) -> dict[str, int]:
    """Read one segment of every source and every target that exists; rows read, by source or target."""
    present = run.folder.read_json("run.json")["targets_present"]
    reads = [_Read(id=s.id, table=s.table, partition_by=s.partition_by) for s in run.migration.sources]
    reads += [_Read(id=t.id, table=t.table, partition_by=t.placed_by) for t in run.migration.targets if t.id in present]
    with run.ledger.step(run.id, "snapshot", str(segment)), run.workspace.scratch() as scratch:
        with ThreadPoolExecutor(READERS) as pool:
            done = list(pool.map(lambda read: _read(run, read, segment, scratch, "snapshot"), reads))
        files = tuple(artifact for artifacts in done for artifact in artifacts)
        rows = {read.id: sum(a.rows or 0 for a in artifacts) for read, artifacts in zip(reads, done, strict=True)}
        run.folder.seal(Manifest(step="snapshot", part=f"{segment:03}", files=files, facts=rows))
    return rows


def read_back(run: Run, phase: Phase, segment: int) -> int:
    """Read one segment of the phase's targets again, after they were written; the rows read."""
    files: list[Artifact] = []
    with run.ledger.step(run.id, f"read_back/{phase.id}", str(segment)), run.workspace.scratch() as scratch:
        for output in phase.outputs:
            target = run.migration.target(output.target)
            read = _Read(id=output.name, table=target.table, partition_by=target.placed_by)
            files += _read(run, read, segment, scratch, "read_back")
        rows = sum(a.rows or 0 for a in files)
        run.folder.seal(
            Manifest(step=f"read_back/{phase.id}", part=f"{segment:03}", files=tuple(files), facts={"rows": rows})
        )
    return rows


def _read(run: Run, read: _Read, segment: int, scratch: Path, step: str) -> list[Artifact]:
    store = run.store_of(read.table)
    batches = store.read(read.table, segment, run.segments)
    reader = pa.RecordBatchReader.from_batches(arrow_schema(read.table), _logged(batches, read, segment))
    part = f"'{WHOLE}'" if read.partition_by is None else duck.partition(read.partition_by, run.partitions)
    folder = scratch / read.id
    (own := scratch / f"{read.id}.spill").mkdir()
    with duck.connect(own) as connection:
        connection.register("read", reader)
        connection.execute(
            f"COPY (SELECT *, {key_text(read.table.key)} AS {KEY}, {part} AS _part FROM read) "
            f"TO {duck.literal(str(folder))} (FORMAT parquet, PARTITION_BY (_part), COMPRESSION zstd)"
        )
    return publish_partitions(run.folder, folder, f"{step}/{read.id}", f"s{segment:03}")


def publish_partitions(run: RunFolder, folder: Path, to: str, part: str) -> list[Artifact]:
    """Publish what DuckDB's PARTITION_BY (_part) wrote below `folder` as `<to>/p<partition>-<part>[-n].parquet`."""
    import pyarrow.parquet as pq

    artifacts = []
    for directory in sorted(folder.glob("_part=*")):
        name = directory.name.removeprefix("_part=")
        name = name if name == WHOLE else f"{int(name):03}"
        for n, file in enumerate(sorted(directory.glob("*.parquet"))):
            rows = pq.read_metadata(file).num_rows
            artifacts.append(run.publish(file, f"{to}/p{name}-{part}-{n}.parquet", rows))
    return artifacts


def files_of(
    run: Run, manifests: list[Manifest], prefix: str, partition: int | str | None, scratch: Path
) -> list[Path]:
    """Local paths of the files below `prefix` of one partition (None: of all), checked against their manifests."""
    if partition is not None:
        prefix = f"{prefix}/p{partition if isinstance(partition, str) else f'{partition:03}'}-"
    else:
        prefix = f"{prefix}/"
    return [run.folder.fetch(f, scratch) for m in manifests for f in m.files if f.path.startswith(prefix)]


def source_schema(table: Table) -> pa.Schema:
    """The schema of a snapshot's rows."""
    return arrow_schema(table).append(pa.field(KEY, pa.string()))


def _logged(batches: Iterator[pa.RecordBatch], read: _Read, segment: int) -> Iterator[pa.RecordBatch]:
    rows = 0
    for batch in batches:
        rows += batch.num_rows
        yield batch
    log.info("%s: segment %d has %s rows", read.table.name, segment, f"{rows:,}")


def look_ups(run: Run) -> dict[str, int]:
    """Compute the migration's shared relations once over whole sources; rows, by relation."""
    with run.ledger.step(run.id, "look_ups", "0"), run.workspace.scratch() as scratch:
        manifests = run.folder.manifests("snapshot", run.segments)
        files, rows = [], {}
        with duck.connect(scratch) as connection:
            for source in run.migration.sources:
                relate_source(connection, run, source, manifests, None, scratch)
            for name, path in run.migration.shared.items():
                local = scratch / f"{name}.parquet"
                query = path.read_text(encoding="utf-8").rstrip().rstrip(";")
                connection.execute(f"COPY ({query}\n) TO {duck.literal(str(local))} (FORMAT parquet)")
                rows[name] = duck.count(connection, f"SELECT count(*) FROM read_parquet({duck.literal(str(local))})")
                files.append(run.folder.publish(local, f"shared/{name}.parquet", rows[name]))
        run.folder.seal(Manifest(step="look_ups", part="0", files=tuple(files), facts=rows))
    return rows


def relate_source(
    connection: Any, run: Run, source: Source, manifests: list[Manifest], partition: int | None, scratch: Path
) -> None:
    """Make the source's rows of a partition (None: all; look-ups always all) a relation of its id."""
    part = WHOLE if source.partition_by is None else partition
    files = files_of(run, manifests, f"snapshot/{source.id}", part, scratch)
    duck.relation(connection, source.id, files, source_schema(source.table))
