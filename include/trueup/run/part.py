"""How a step does its part of a run.

    with run.part(StepName.PLAN, partition) as part:
        part.relate("is_people", SNAPSHOT_FILES.among(run.manifests(StepName.SNAPSHOT), "people", partition), schema)
        part.write(PLAN_FILES.part("people", partition), "SELECT … FROM is_people")
        part.facts = {"people": …}

The ledger has when the part began, at which try, and how it ended. The scratch folder, the connection to DuckDB and the
stores' sessions are opened when they are first asked for, and are gone afterwards. What the part wrote is published at
its end, and then its manifest, with which it counts as done: of a part that raised, neither is. A step that only looks,
as a report does, uses a `Session`, which has no entry and leaves nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from ..ledger import Part as Try
from ..ledger.holding import Elapsed
from ..rows import duck
from ..steps import entered
from ..stores.keeping import keeping
from . import newest
from .any_run import AnyRun
from .workspace import Artifact, Manifest, RunFolder

Connect = Callable[[Path], AbstractContextManager[duckdb.DuckDBPyConnection]]


@dataclass(frozen=True, kw_only=True)
class Written:
    """A file in the scratch folder, and the path below the run's folder at which it is published."""

    local: Path
    path: str
    rows: int


class Session:
    """A scratch folder and a connection to DuckDB, over the files of a run. Not for several threads at once."""

    def __init__(self, folder: RunFolder, connect: Connect, opened: ExitStack) -> None:
        self.folder = folder
        self._connect, self._opened = connect, opened

    @cached_property
    def scratch(self) -> Path:
        """A private local folder."""
        return self._opened.enter_context(self.folder.workspace.scratch())

    @cached_property
    def connection(self) -> duckdb.DuckDBPyConnection:
        """A connection to DuckDB, whose temporary relations are this session's alone."""
        return self._opened.enter_context(self._connect(self.scratch))

    def fetch(self, files: Iterable[Artifact | Written | Path]) -> list[Path]:
        """Files as local paths. Raises `ArtifactError` for one that is missing, or not the one of its manifest."""
        return [self._local(file) for file in files]

    def _local(self, file: Artifact | Written | Path) -> Path:
        if isinstance(file, Artifact):
            return self.folder.fetch(file, self.scratch)
        return file.local if isinstance(file, Written) else file

    def relate(self, name: str, files: Iterable[Artifact | Written | Path], schema: pa.Schema | None) -> None:
        """Make the rows of these files the relation `name`, of these columns (None: of those of the first file); an empty one
        where there are no files. Raises `ArtifactError`, also for files of other columns."""
        duck.relation(self.connection, name, self.fetch(files), schema)


class Part(Session):
    """One part of a step, while it is done. `tries`: at which try, from 1; `facts`: what its manifest says besides its files,
    as JSON values; None, and no file: it leaves no manifest."""

    def __init__(
        self, run: AnyRun, step: str, number: int | str | None, tries: int, connect: Connect, opened: ExitStack
    ):
        super().__init__(run.folder, connect, opened)
        self.step, self.number, self.tries = step, _in_ledger(number), tries
        self.facts: Mapping[str, Any] | None = None
        self.files: list[Artifact] = []
        self._sealed_as = f"{number:03}" if isinstance(number, int) else self.number
        self._written: list[Written] = []

    @property
    def this(self) -> Try:
        """This try of the part, as the ledger knows it."""
        return Try(step=self.step, part=self.number, tries=self.tries)

    def publish(self, local: Path, path: str, rows: int | None = None) -> Artifact:
        """Publish a local file (moved) at once."""
        self.files.append(artifact := self.folder.publish(local, path, rows))
        return artifact

    def write(self, path: str, query: str, options: str = "", *, leave_out_empty: bool = False) -> Written:
        """Write the query's rows to a Parquet file, which is published at `path` when the part ends; `leave_out_empty`: not if
        it has no rows. `options` are more of DuckDB's for COPY."""
        local = self.scratch / path.replace("/", "--")
        written = Written(local=local, path=path, rows=duck.write(self.connection, query, local, options))
        if written.rows or not leave_out_empty:
            self._written.append(written)
        return written

    def seal(self) -> None:
        """Publish what was written, and the manifest, if there is anything to say."""
        for each in self._written:
            self.publish(each.local, each.path, each.rows)
        if self.files or self.facts is not None:
            facts, files = dict(self.facts or {}), tuple(self.files)
            manifest = Manifest(step=self.step, part=self._sealed_as, files=files, facts=facts, tries=self.tries)
            self.folder.seal(manifest)


@contextmanager
def part(
    run: AnyRun,
    step: str,
    number: int | str | None = None,
    *,
    phase: str | None = None,
    attempt: int | None = None,
    connect: Connect = duck.connect,
) -> Iterator[Part]:
    """Do a part of a step: the `number` of a segment or a partition, the name of a database, or None where the step is done
    once for the run. It is begun only if the run has begun no more often than is known of it (`AnyRun.attempt`); `attempt`:
    of a preflight, how often it has begun by this one. Of rows, use `Run.part`."""
    name, since = entered(step, phase), Elapsed(run.ledger.effects)
    known = run.attempt if attempt is None else attempt
    with run.ledger.step(run.id, name, _in_ledger(number), known) as tries, ExitStack() as opened:
        opened.enter_context(keeping())
        doing = Part(run, name, number, tries, connect, opened)
        opened.enter_context(newest.asking(run.ledger, run.id, since, attempt, doing.this))
        yield doing
        doing.seal()


def _in_ledger(number: int | str | None) -> str:
    return "0" if number is None else str(number)
