"""Which value is the largest of what a step holds: for the message of a step that runs out of memory, so that it
names a table, a row and a column, and not the setting alone."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from ..declare.names import KEY
from ..errors import MemoryLimitError, TrueupError
from ..steps import StepName
from .files import SNAPSHOT_FILES

if TYPE_CHECKING:
    from ..declare.migration import Table
    from . import Run

log = logging.getLogger(__name__)
LARGE = 4 * 1024 * 1024
"""Bytes of a value from which on it is worth a word."""


@dataclass
class Largest:
    """The largest value seen of a table's rows, and how many were large."""

    table: str
    key: tuple[str, ...]
    bytes: int = field(default=0, init=False)
    column: str = field(default="", init=False)
    row: str = field(default="", init=False)
    count: int = field(default=0, init=False)

    def watch(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """The batches as they come, each looked at, if it is large, before it is passed on."""
        for batch in batches:
            self.look(batch)
            yield batch

    def look(self, batch: pa.RecordBatch) -> None:
        """Look at a batch of the table's rows."""
        if batch.nbytes < LARGE:
            return
        for name, values in zip(batch.schema.names, batch.columns, strict=True):
            if not (pa.types.is_string(values.type) or pa.types.is_binary(values.type)):
                continue
            lengths = pc.binary_length(values)
            self.count += pc.sum(pc.greater_equal(lengths, LARGE)).as_py() or 0
            most = pc.max(lengths).as_py() or 0
            if most >= max(LARGE, self.bytes + 1):
                at = pc.index(lengths, most).as_py()
                self.bytes, self.column = most, name
                self.row = ", ".join(str(batch[key][at])[:80] for key in self.key if key in batch.schema.names)

    def words(self) -> str | None:
        """What was found; None where no value was large."""
        if not self.bytes:
            return None
        others = f"; {self.count:,} values have more than {LARGE >> 20} MiB" if self.count > 1 else ""
        return f"The largest value, of {self.bytes:,} bytes, is in column {self.column!r} of row {self.row} of {self.table}{others}."


def reading(table: Table) -> Largest:
    """To watch a table while it is read."""
    return Largest(table=table.name, key=table.key)


@contextmanager
def named(largest: Largest) -> Iterator[None]:
    """A `MemoryLimitError` of the block says which value was the largest."""
    try:
        yield
    except MemoryLimitError as error:
        raise _with(error, largest.words()) from error


@contextmanager
def named_of(run: Run) -> Iterator[None]:
    """The same of a step that works on what the run has read."""
    try:
        yield
    except MemoryLimitError as error:
        try:
            largest = _largest_of(run)
        except (TrueupError, OSError, pa.ArrowException) as other:  # what went wrong first is what is to be said
            log.warning("the largest value of run %s could not be found: %s", run.id, other)
            largest = None
        raise _with(error, largest) from error


def _with(error: MemoryLimitError, words: str | None) -> MemoryLimitError:
    text = str(error)
    return error if words is None or words in text else MemoryLimitError(f"{text} {words}")


def _largest_of(run: Run) -> str | None:
    """The largest value in the run's snapshot, in words."""
    import pyarrow.parquet as pq

    tables = {target.id: target.table for target in run.migration.targets}
    tables |= {source.id: source.table for source in run.migration.sources}
    best: Largest | None = None
    with run.workspace.scratch() as scratch:
        for manifest in run.folder.manifests(StepName.SNAPSHOT):
            for artifact in manifest.files:
                table = tables.get(SNAPSHOT_FILES.name_in(artifact))
                if table is None:
                    continue
                largest = Largest(table=table.name, key=(KEY,))
                with pq.ParquetFile(run.folder.fetch(artifact, scratch)) as file:
                    for group in range(file.num_row_groups):
                        _look_at(file, group, largest)
                if largest.bytes and (best is None or largest.bytes > best.bytes):
                    best = largest
    return None if best is None else best.words()


def _look_at(file: pa.parquet.ParquetFile, group: int, largest: Largest) -> None:
    """Look at those columns of a row group that may have a large value, a few rows at a time."""
    group_metadata = file.metadata.row_group(group)
    sizes = {
        group_metadata.column(n).path_in_schema: group_metadata.column(n).total_uncompressed_size
        for n in range(group_metadata.num_columns)
    }
    for column, size in sizes.items():
        if size < LARGE or column == KEY:
            continue
        rows = max(1, group_metadata.num_rows * LARGE // size)
        for batch in file.iter_batches(batch_size=rows, row_groups=[group], columns=[column, KEY]):
            largest.look(batch)
