"""Snapshot: what is there, read once, in parallel, into Parquet.

A source's rows go to `snapshot/<source>/p<partition>-s<segment>….parquet`, where the partition is a hash of the columns
that the declaration partitions by; look-ups go whole to partition `all`. The targets' rows are read too, partitioned by
a hash of their key. Nothing here writes to a store.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from ..declare.migration import Phase, Table
from ..declare.names import KEY, own
from ..rows import duck
from ..run import Run, large
from ..run.files import Place, shared
from ..run.partitions import copy_partitions, publish_partitions, relate_source
from ..run.workspace import Artifact, Manifest
from ..stores import Store, arrow_schema, key_text
from . import reuse

log = logging.getLogger(__name__)

READERS = 2
"""Tables read at once by one task: one waits for the store while the other is turned into Arrow."""
_READ = own("read")


@dataclass(frozen=True, kw_only=True)
class _Read:
    """A table to be read, and how its rows are partitioned."""

    id: str
    table: Table
    partition_by: tuple[str, ...] | None


def snapshot(run: Run, segment: int) -> dict[str, int]:
    """Read one segment of every source and every target that exists; rows read, by source or target.

    What lies in a store that can show all of it in one state is read whole with segment 0, in as many slices: rows that
    belong together are then of one moment, though somebody writes meanwhile."""
    start = run.files.start
    present, taken = start.targets_present, start.snapshot_of
    sources = run.migration.sources if run.undoes is None and taken is None else ()
    reads = [_Read(id=s.id, table=s.table, partition_by=s.partition_by) for s in sources]
    targets = (t for t in run.migration.targets if t.id in present and run.read_with(t) is None)
    reads += [_Read(id=t.id, table=t.table, partition_by=t.placed_by) for t in targets]
    with run.ledger.step(run.id, "snapshot", str(segment)), run.workspace.scratch() as scratch:
        slices = [(each, n) for each in reads for n in _slices(run, each, segment)]
        with ExitStack() as opened, ThreadPoolExecutor(READERS) as pool:
            connections = dict.fromkeys(each.table.connection for each, _ in slices)
            stores = {c: opened.enter_context(run.store(c).reading()) for c in connections}

            def read(one: tuple[_Read, int]) -> list[Artifact]:
                return _read(run, stores[one[0].table.connection], one[0], one[1], scratch, "snapshot")

            done = list(pool.map(read, slices))
        files = tuple(artifact for artifacts in done for artifact in artifacts)
        rows = {each.id: 0 for each in reads}
        for (each, _), artifacts in zip(slices, done, strict=True):
            rows[each.id] += sum(a.rows or 0 for a in artifacts)
        if taken:
            theirs, read_then = reuse.sources(run, segment)
            files, rows = (*theirs, *files), {**read_then, **rows}
        run.folder.seal(Manifest(step="snapshot", part=f"{segment:03}", files=files, facts=rows))
    return rows


def _slices(run: Run, read: _Read, segment: int) -> Iterable[int]:
    if not run.store_of(read.table).one_state:
        return [segment]
    return range(run.segments) if segment == 0 else []


def read_back(run: Run, phase: Phase, segment: int) -> int:
    """Read one segment of the phase's targets again, after they were written; the rows read."""
    files: list[Artifact] = []
    with run.ledger.step(run.id, f"read_back/{phase.id}", str(segment)), run.workspace.scratch() as scratch:
        for output in phase.outputs:
            target = run.migration.target(output.target)
            read = _Read(id=output.name, table=target.table, partition_by=target.placed_by)
            files += _read(run, run.store_of(target.table), read, segment, scratch, "read_back")
        rows = sum(a.rows or 0 for a in files)
        run.folder.seal(
            Manifest(step=f"read_back/{phase.id}", part=f"{segment:03}", files=tuple(files), facts={"rows": rows})
        )
    return rows


def _read(run: Run, store: Store, read: _Read, segment: int, scratch: Path, step: str) -> list[Artifact]:
    folder = scratch / f"{read.id}-{segment}"
    (spill := scratch / f"{read.id}-{segment}.spill").mkdir()
    largest = large.reading(read.table)
    with large.named(largest), duck.own_errors() as watched, run.connect(spill) as connection:
        rows_read = largest.watch(store.read(read.table, segment, run.segments))
        batches = watched(_logged(rows_read, read, segment))
        reader = pa.RecordBatchReader.from_batches(arrow_schema(read.table), batches)
        connection.register(_READ, reader)
        rows = f"SELECT *, {key_text(read.table.key)} AS {KEY} FROM {_READ}"
        copy_partitions(connection, rows, read.partition_by, run.partitions, folder)
    return publish_partitions(run.folder, folder, Place(step).of(read.id), f"s{segment:03}")


def _logged(batches: Iterator[pa.RecordBatch], read: _Read, segment: int) -> Iterator[pa.RecordBatch]:
    rows = 0
    for batch in batches:
        rows += batch.num_rows
        yield batch
    log.info("%s: segment %d has %s rows", read.table.name, segment, f"{rows:,}")


def compute_shared(run: Run) -> dict[str, int]:
    """Compute the migration's shared relations once over whole sources; rows, by relation."""
    with run.ledger.step(run.id, "shared", "0"), run.workspace.scratch() as scratch:
        manifests = run.folder.manifests("snapshot", run.segments)
        files, rows = [], {}
        with run.connect(scratch) as connection:
            for source in run.migration.sources:
                relate_source(connection, run, source, manifests, None, scratch)
            for name, path in run.migration.shared.items():
                local = scratch / f"{name}.parquet"
                query = path.read_text(encoding="utf-8").rstrip().rstrip(";")
                rows[name] = duck.write(connection, query, local)
                files.append(run.folder.publish(local, shared(name), rows[name]))
        run.folder.seal(Manifest(step="shared", part="0", files=tuple(files), facts=rows))
    return rows
