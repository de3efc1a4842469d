"""Snapshot: what is there, read once, in parallel, into Parquet.

A source's rows go to `snapshot/<source>/p<partition>-s<segment>….parquet`, where the partition is a hash of the columns
that the declaration partitions by; look-ups go whole to partition `all`. The targets' rows are read too, partitioned by
a hash of their key. Nothing here writes to a store.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import pyarrow as pa

from ..declare.migration import Phase, Table
from ..declare.names import KEY, own
from ..errors import DeclarationError
from ..rows import changing, digits, duck, wording
from ..rows.digits import FAR, NEAR, NEIGHBOUR, WHY
from ..run import Part, Run, StepName, large, where
from ..run.artifacts import sha256_of
from ..run.files import READ_BACK_FILES, SNAPSHOT_FILES, Place, shared
from ..run.partitions import QUERY, READ, copy_partitions, how_read, publish_partitions, relate_source
from ..run.workspace import Artifact
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
    with run.part(StepName.SNAPSHOT, segment) as part:
        slices = [(each, n) for each in reads for n in _slices(run, each, segment)]
        with ExitStack() as opened, run.effects.workers(READERS, "trueup-read") as pool:
            connections = dict.fromkeys(each.table.connection for each, _ in slices)
            stores = {c: opened.enter_context(run.store(c).reading()) for c in connections}

            def read(one: tuple[_Read, int]) -> list[Artifact]:
                return _read(run, stores[one[0].table.connection], one[0], one[1], SNAPSHOT_FILES)

            done = list(pool.map(read, slices))
        where.check_same(run, *sources)
        rows = {each.id: 0 for each in reads}
        for (each, _), artifacts in zip(slices, done, strict=True):
            rows[each.id] += sum(a.rows or 0 for a in artifacts)
        if taken:
            theirs, rows_then = reuse.sources(run, segment)
            part.files += theirs
            rows = {**rows_then, **rows}
        part.files += [artifact for artifacts in done for artifact in artifacts]
        every = {s.id: (s.table, s.partition_by) for s in run.migration.sources} if taken else {}
        every |= {each.id: (each.table, each.partition_by) for each in reads}
        part.facts = {**rows, **{f"{READ}{id}": how_read(table, by) for id, (table, by) in every.items()}}
    return rows


def _slices(run: Run, read: _Read, segment: int) -> Iterable[int]:
    if not run.store_of(read.table).one_state:
        return [segment]
    return range(run.segments) if segment == 0 else []


def read_back(run: Run, phase: Phase, segment: int) -> int:
    """Read one segment of the phase's targets again, after they were written; the rows read."""
    with run.part(StepName.READ_BACK, segment, phase=phase) as part:
        for output in phase.outputs:
            target = run.migration.target(output.target)
            read = _Read(id=output.name, table=target.table, partition_by=target.placed_by)
            part.files += _read(run, run.store_of(target.table), read, segment, READ_BACK_FILES)
        where.check_same(run)
        rows = sum(a.rows or 0 for a in part.files)
        part.facts = {"rows": rows}
    return rows


def _read(run: Run, store: Store, read: _Read, segment: int, place: Place) -> list[Artifact]:
    """Read and publish one segment of a table, of the shape of `source_schema`."""
    largest = large.reading(read.table)
    with large.named(largest), duck.own_errors() as watched, run.session() as session:
        rows_read = largest.watch(store.read(read.table, segment, run.segments))
        batches = watched(_logged(rows_read, read, segment))
        reader = pa.RecordBatchReader.from_batches(arrow_schema(read.table), batches)
        session.connection.register(_READ, reader)
        rows = f"SELECT *, {key_text(read.table.key)} AS {KEY} FROM {_READ}"
        folder = session.scratch / "rows"
        copy_partitions(session.connection, rows, read.partition_by, run.partitions, folder)
        return publish_partitions(session.folder, folder, place, read.id, f"s{segment:03}")


def _logged(batches: Iterator[pa.RecordBatch], read: _Read, segment: int) -> Iterator[pa.RecordBatch]:
    rows = 0
    for batch in batches:
        rows += batch.num_rows
        yield batch
    log.info("%s: segment %d has %s rows", read.table.name, segment, f"{rows:,}")


def compute_shared(run: Run) -> dict[str, int]:
    """Compute the migration's shared relations once over whole sources; rows, by relation."""
    with run.part(StepName.SHARED) as part:
        snapshot = run.manifests(StepName.SNAPSHOT)
        for source in run.migration.sources:
            relate_source(part, source, snapshot, None)
        rows = {}
        for name, path in run.migration.shared.items():
            what = f"shared {name!r}"
            changing.refuse(what, path, run.migration)
            with wording.asking(what, path, part.connection, (source.id for source in run.migration.sources)):
                rows[name] = part.write(shared(name), wording.query_of(what, path)).rows
        sources = {duck.identifier(source.id): source.columns for source in run.migration.sources}
        costs = run.migration.cost is not None
        if run.migration.shared and digits.first_long(part.connection, sources, costs=costs) is not None:
            why = "its transform costs something" if costs else _compute_neighbours(part, run)
            if why:
                part.write(shared(f"{NEIGHBOUR}{WHY}"), f"SELECT {duck.literal(why)} AS message")
        part.facts = {**rows, **{f"{QUERY}{name}": sha256_of(path) for name, path in run.migration.shared.items()}}
    return rows


def _compute_neighbours(part: Part, run: Run) -> str:
    """The same of both neighbours; why not, where the queries fail with other digits, which is no fault of theirs."""
    try:
        for neighbour in (NEAR, FAR):
            _compute_neighbour(part, run, neighbour)
    except DeclarationError as error:
        return str(error)
    return ""


def _compute_neighbour(part: Part, run: Run, neighbour: str) -> None:
    """The same with neighbours in place of numbers that a double holds as others, by which a transform sees whether digits get lost."""
    with run.session(alone=True) as session:
        for source in run.migration.sources:
            relate_source(session, source, run.manifests(StepName.SNAPSHOT), None, name=own(f"of_{source.id}"))
            replaced = digits.replaced(own(f"of_{source.id}"), source.columns, neighbour, key_text(source.key))
            session.connection.execute(f"CREATE TEMP VIEW {duck.identifier(source.id)} AS {replaced}")
        made = []
        for name, path in run.migration.shared.items():
            local = session.scratch / f"{name}{NEIGHBOUR}{neighbour}.parquet"
            what = f"shared {name!r}"
            with wording.asking(what, path, session.connection, (source.id for source in run.migration.sources)):
                rows = duck.write(session.connection, wording.query_of(what, path), local)
            made.append((local, shared(f"{name}{NEIGHBOUR}{neighbour}"), rows))
        for local, place, rows in made:
            part.publish(local, place, rows)
