"""Preflight: what a run needs is looked at before anything is read, and before anybody is asked. Nothing here writes to
a store.

`look_at_source` and `look_at_target` are where a table that does not fit is refused.
"""

from __future__ import annotations

import logging
import os
from dataclasses import replace
from functools import cache, partial

from ..declare.migration import Source, Table, Target
from ..declare.names import fold
from ..errors import OptionsError, SourceError
from ..plan import baseline, target_checks, unread
from ..read import reuse
from ..read.snapshot import READERS
from ..run import MAX_PARTS, Mode, Options, Run, Start
from ..run.begin import begin
from ..run.where import name_of, of_migration
from ..stores import Description
from ..write import tables_there

log = logging.getLogger(__name__)

ROWS_PER_PARTITION = 150_000
"""What a partition is aimed to hold: enough to be worth a task, little enough for its memory."""

EMBEDDED = "TRUEUP_EMBEDDED"
"""Environment variable: the connections that lead to stores which were started for trying things out and begin empty, with
commas between them."""


def preflight(run: Run, triggered_by: str | None = None) -> Options:
    """Enter the run in the ledger, see that its sources are what the migration declares, take the hold on its targets
    (mode apply), and choose segments and partitions; the options with them chosen.

    Raises `SourceError` for a missing or different source or a target of another shape, `TargetHeldError`, `StatusError`.
    """
    return begin(run, triggered_by, _choose).row_options


def _choose(run: Run) -> Start:
    """What is there, and the segments, partitions and batches that the run is done in."""
    _check_ignored(run)
    sources = {source.id: look_at_source(run, source) for source in run.migration.sources}
    looked = {target.id: look_at_target(run, target) for target in run.migration.targets}
    targets = {id: look for id, look in looked.items() if look is not None}
    rows = [look.estimated_rows for look in sources.values()]
    estimate = sum(look.estimated_rows or 0 for look in (*sources.values(), *targets.values()))
    options = _sized(run, estimate, unknown=None in rows)
    if (before := run.files.begun) is not None:  # what it wrote under an earlier plan is found by the same partitions
        options = replace(options, partitions=run.options.partitions or before.row_options.partitions)
    where = cache(partial(of_migration, run.migration, run.store))
    if taken := reuse.earlier(run, where):
        options = replace(options, partitions=taken[1].partitions, segments=taken[1].segments)
        log.info("the sources are read as run %s has read them, after this run's window closed", taken[0])
    return Start(
        options=options,
        targets_present=tuple(targets),
        # the size of a batch is fixed here, once: batches are known by their number, whoever writes them
        batch_rows={t.id: target_checks.batch_rows(run, t, looked[t.id]) for t in run.migration.targets},
        undeclared={id: look.undeclared for id, look in sources.items()},
        expected_rows={id: look.expected_rows for id, look in sources.items()},
        baseline=baseline.previous(run),
        snapshot_of=taken[0] if taken else None,
        tables={t.id: tables_there.name_of(run, t, looked[t.id]) for t in run.migration.targets},
        sources={s.id: name_of(run.store_of(s.table), s.table, sources[s.id]) for s in run.migration.sources},
        targets=target_checks.facts(targets),
        where=where(),
    )


def _check_ignored(run: Run) -> None:
    """Raise `OptionsError` where `ignore_columns` names no source: a name that is spelled wrongly leaves nothing out."""
    table_names = {name for s in run.migration.sources for name in (s.table.name, s.id)}
    if wrong := [text for text in run.options.ignore_columns if not any(text.startswith(f"{k}.") for k in table_names)]:
        raise OptionsError(
            f"ignore_columns: {', '.join(map(repr, wrong))} begins with no source's table; write table.column, with a table of"
            f" {', '.join(sorted({s.table.name for s in run.migration.sources}))}"
        )


def look_at_source(run: Run, source: Source) -> Description:
    """The source's table as it is. Raises `SourceError` where it does not exist, or is not as declared."""
    table = source.table
    description = run.store_of(table).describe(table)
    if description is None:
        raise SourceError(
            f"table {table.name!r} (source {source.id!r}, connection {table.connection!r}) does not exist; "
            + (
                _to_fill(run, table)
                or "check the connection's region and endpoint, or create the table if it should be empty"
            )
        )
    if description.estimated_rows == 0:
        fill = _to_fill(run, table) or "check that the connection points to the database that has the rows"
        log.warning(
            "table %r (source %r, connection %r) seems to be empty; %s", table.name, source.id, table.connection, fill
        )
    what = f"table {table.name!r} (source {source.id!r}, connection {table.connection!r})"
    _refuse(what, description)
    _refuse_twins(what, table, description)
    if description.key != table.key and not description.identified:
        raise SourceError(_no_key(what, description, table))
    if left := unread.undeclared(run.migration, source, run.options, description.undeclared):
        raise SourceError(
            f"{what} has {len(left)} columns that nobody accounts for: {', '.join(map(repr, left))}. Their values would be"
            f" lost. {unread.ways_out(source, left)}"
        )
    return description


def _to_fill(run: Run, table: Table) -> str | None:
    """How the table is filled, where its connection leads to an embedded store."""
    if table.connection not in os.environ.get(EMBEDDED, "").split(","):
        return None
    fill = f"`make sample MIGRATION={run.migration.id}` fills it with a sample"
    return f"the connection points to the embedded store, which starts empty: {fill}"


def _refuse(what: str, description: Description) -> None:
    """Raise `SourceError` for a table whose columns do not fit, or that cannot be read whole."""
    if description.misfits:
        raise SourceError(f"{what} is not as declared: {'; '.join(description.misfits)}")
    if description.obstacles:
        raise SourceError(f"{what} cannot be read whole: {'; '.join(description.obstacles)}")


def _refuse_twins(what: str, table: Table, description: Description) -> None:
    """Raise `SourceError` where a column that is not declared has the name of a declared one, in another case."""
    declared = {fold(column): column for column in table.columns}
    for column in description.undeclared:
        if twin := declared.get(fold(column)):
            raise SourceError(
                f"{what} has the column {column!r} beside the declared {twin!r}: they differ by case only, and a transform "
                f"that names one of them would get the other. Declare a view of the table, in which {column!r} has another "
                "name or is left out"
            )


def _no_key(what: str, description: Description, table: Table) -> str:
    declared = ", ".join(map(repr, table.key))
    if description.key:
        return f"{what} has the key {', '.join(map(repr, description.key))}, but {declared} is declared: declare the table's own key"
    return (
        f"{what} has no primary key, and no unique index keeps {declared} apart, so its rows cannot be told apart:"
        " it cannot be migrated as it is. Declare the columns of a unique index that are NOT NULL, or give the"
        " table a primary key, or declare a view of it in which the declared columns are a key"
    )


def look_at_target(run: Run, target: Target) -> Description | None:
    """The target's table as it is; None where it is still to be made. Raises `SourceError` where it is not as declared."""
    table = target.table
    what = f"table {table.name!r} (target {target.id!r}, connection {table.connection!r})"
    description = run.store_of(table).describe(table)
    if description is None:
        wrong = [*run.store_of(table).uncreatable(table)]
        if target.sets and target.create is None:
            columns = ", ".join(map(repr, target.sets))
            wrong.append(
                f"it would be made of its declared columns, without {columns} (Target.sets): give a script as create"
            )
        if run.options.mode is Mode.APPLY and run.undoes is None and wrong:
            raise SourceError(f"{what} is not there and cannot be made: {'; '.join(wrong)}")
        return None
    _refuse(what, description)
    if description.key != table.key:
        has = f"the primary key {', '.join(map(repr, description.key))}" if description.key else "no primary key"
        besides = (
            f"; {'; '.join(description.unwritable)}"
            if run.options.mode is Mode.APPLY and description.unwritable
            else ""
        )
        raise SourceError(f"{what} has {has}, but {', '.join(map(repr, table.key))} is declared{besides}")
    target_checks.refuse_unwritable(run, what, target, description)
    return description


def _sized(run: Run, estimate: int, unknown: bool) -> Options:
    """The options with partitions and segments chosen."""
    segments = _parts(estimate, unknown)
    if all(run.store_of(source.table).one_state for source in run.migration.sources):
        segments = min(segments, READERS)
    partitions = run.options.partitions or _parts(estimate, unknown)
    return replace(run.options, partitions=partitions, segments=run.options.segments or segments)


def _parts(estimate: int, unknown: bool) -> int:
    wanted = -(-estimate // ROWS_PER_PARTITION)
    return max(4 if unknown else 1, min(wanted, 64, MAX_PARTS))
