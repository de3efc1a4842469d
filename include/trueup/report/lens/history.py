"""The row lens: what became of a key in all runs of its migration, the one that did something last first."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from ...declare.migration import Migration
from ...errors import ArtifactError
from ...ledger import Ledger, RunRow, Status
from ...ledger.latest import last_first
from ...rows import duck
from ...run import earlier
from .fates import Sought, SourceRow, TargetRow
from .fates import made as made_by
from .findings import Finding, findings_of
from .rows import Looked
from .shelf import Shelf

RUNS = 20
"""Runs that are looked at for one answer."""
SECONDS = 3.0
"""How long is looked for one answer, beyond the run that is under way."""


@dataclass(frozen=True, kw_only=True)
class Past:
    """A run, and what it made of the row; nothing where it is not about it. `undone_by` is the run that has taken it back.
    `more`: target rows beyond those that are shown, which `beyond` has where they are wanted.
    `not_looked`: what of it could not be looked at, in words; `pruned`: its files are gone."""

    run: str
    dag_id: str
    run_id: str | None
    status: str
    mode: str | None
    window: Mapping[str, str] | None
    started_at: datetime
    ended_at: datetime | None
    undoes: str | None
    undone_by: str | None
    sources: tuple[SourceRow, ...] = ()
    targets: tuple[TargetRow, ...] = ()
    more: int = 0
    beyond: tuple[TargetRow, ...] = ()
    findings: tuple[Finding, ...] = ()
    pruned: bool = False
    not_looked: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class History:
    """What the runs made of a key. `next`: the run from which to go on; None: all have been looked at. `looked` of the
    migration's `of` runs have been by now; `hidden` are those that may not be read."""

    runs: tuple[Past, ...]
    next: str | None
    looked: int
    of: int
    hidden: int


def history(
    migration: Migration,
    ledger: Ledger,
    shelf: Shelf,
    sought: Sought,
    *,
    since: str | None = None,
    of_dags: Callable[[str], bool] = lambda _: True,
) -> History:
    """What the runs made of it, the last that began, planned or might write first, or from the run `since` on; only those
    of DAGs that may be read (`of_dags`). Raises `ArtifactError` if there is no such run."""
    every = last_first(ledger, migration.id)
    may = {dag_id: of_dags(dag_id) for dag_id in {row.dag_id for row in every}}
    rows = [row for row in every if may[row.dag_id]]
    ids = [row.run_id for row in rows]
    if since is not None and since not in ids:
        raise ArtifactError(f"migration {migration.id} has no run {since!r}; begin again")
    first = 0 if since is None else ids.index(since)
    until = ledger.effects.monotonic() + SECONDS
    shown: list[Past] = []
    for past in each(migration, ledger, shelf, sought, rows, first):
        shown.append(replace(past, beyond=()))
        if len(shown) == RUNS or ledger.effects.monotonic() > until:
            break
    seen = first + len(shown)
    return History(
        runs=tuple(shown),
        next=ids[seen] if seen < len(ids) else None,
        looked=seen,
        of=len(ids),
        hidden=len(every) - len(ids),
    )


def each(
    migration: Migration,
    ledger: Ledger,
    shelf: Shelf,
    sought: Sought,
    rows: Sequence[RunRow],
    first: int = 0,
) -> Iterator[Past]:
    """What each of these runs of the ledger made of it, from the `first` on. A rollback knows no source rows: it is asked
    for the target rows that the run which it undoes made of them."""
    undone = {row.undoes: row.run_id for row in rows if row.undoes and row.status == Status.PROVEN}
    by_id = {row.run_id: row for row in rows}
    by_run: dict[str, Past] = {}

    def past(row: RunRow) -> Past:
        if row.run_id not in by_run:
            wanted = sought
            if row.undoes in by_id:
                undone_run = past(by_id[row.undoes])
                keys = (target.key for target in (*undone_run.targets, *undone_run.beyond))
                wanted = replace(sought, keys=tuple(dict.fromkeys((*sought.keys, *keys))))
            by_run[row.run_id] = _past(migration, ledger, shelf, wanted, row, undone.get(row.run_id))
        return by_run[row.run_id]

    for row in rows[first:]:
        yield past(row)


def look(migration: Migration, shelf: Shelf, row: RunRow) -> Looked:
    """A run of the ledger, to be looked at. What is known of its files holds while it has ended and is not begun again."""
    ended = row.status != Status.RUNNING and row.ended_at is not None
    version = (row.attempt, row.ended_at) if ended else None
    return Looked(migration, shelf.workspace.run(row.run_id), shelf, version=version, undoes=row.undoes)


def _past(
    migration: Migration, ledger: Ledger, shelf: Shelf, sought: Sought, row: RunRow, undone_by: str | None
) -> Past:
    facts = {name: getattr(row, name) for name in ("dag_id", "status", "started_at", "ended_at", "undoes")}
    facts |= {"run": row.run_id, "run_id": row.airflow_run_id, "undone_by": undone_by}
    facts |= {"mode": row.options.get("mode"), "window": row.options.get("window")}
    looked = look(migration, shelf, row)
    if looked.start is None:
        had = row.planned_at is not None
        why = "its files are no longer in the workspace" if had else "it ended before its sources were read"
        return Past(**facts, pruned=had, not_looked=(f"{why}, so nothing is known of this row in it",))
    try:
        not_whole = _missing(looked, row)
        if not looked.stacks:
            return Past(**facts, pruned=row.planned_at is not None, not_looked=not_whole)
        with shelf.workspace.scratch() as scratch, duck.connect(scratch) as connection:
            made = made_by(connection, looked, ledger, sought)
            keys = {*(s.key for s in made.sources), *(t.key for t in made.targets)}
            keys |= {*sought.keys} if sought.phases is None else set()
            findings = findings_of(connection, looked, ledger, sorted(keys))
    except ArtifactError as error:
        return Past(**facts, not_looked=(str(error),))
    return Past(
        **facts,
        sources=made.sources,
        targets=made.targets,
        more=len(made.beyond),
        beyond=made.beyond,
        findings=findings,
        not_looked=not_whole,
    )


def _missing(looked: Looked, row: RunRow) -> tuple[str, ...]:
    """Which parts of the run's evidence are not there, in words."""
    options = looked.start.row_options if looked.start else None
    expected = 0 if options is None else options.partitions or 0
    reasons = []
    for step in ("transform", "plan"):
        parts = len(looked.manifests(step))
        if parts < expected:
            had = "are in the workspace" if row.planned_at is not None else "were made"
            reasons.append(f"{parts} of {expected} parts of its step {step} {had}")
    if before := len(earlier.plans(looked.folder, row.attempt)):
        reasons.append(f"it began again, and what it wrote by {before} plans that it had before is not shown here")
    return tuple(reasons)
