"""All of a run over real stores, and the whole way back: plan, apply, prove, run again, roll back."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from ..declare import Migration, Table
from ..declare.names import MISTYPED
from ..errors import DeclarationError, TrueupError
from ..ledger import Ledger
from ..rows import duck
from ..run import Options, Run
from ..run.files import REJECTS_JSONL
from ..run.reported import Report
from ..run.workspace import Workspace
from ..stores import Store
from ..stores.postgres.catalog import schema_and_name
from ..walk import walk
from .literal import Made, Row, as_read, differences, in_python, known_sources, shown

_numbers = itertools.count(1)
_SHOWN = 10
"""Rows that a message names at most, of each table."""
Rows = dict[str, Made]
"""The rows of a table, by their key."""
Tables = dict[tuple[str, str], Rows]
"""What is in tables, by their connection and name."""


@dataclass(frozen=True, kw_only=True)
class Stage:
    """Where a migration runs in a test: the store behind each of its connections, a ledger, and a workspace."""

    store: Callable[[str], Store]
    ledger: Ledger
    workspace: Workspace


def there_and_back(
    migration: Migration,
    stage: Stage,
    *,
    rows: Mapping[str, Sequence[Row]] | None = None,
    holds: Mapping[str, Sequence[Row]] | None = None,
    gives: Mapping[str, Sequence[Row]] | None = None,
    rejects: Mapping[str, str] | None = None,
    params: Row | None = None,
    partitions: int = 1,
    again: bool = False,
) -> None:
    """Run the migration: the run is proven, its targets hold what it `gives`, a second run finds nothing to do, and after the
    rollback every table is equal to what it was. With `again`, forward once more, to the same rows.

    `rows` are by source, in tables that are made from the declaration where they are not there; unless given, the sources
    are as the stage has them. `holds` and `gives`: all rows of targets before and after, by target; `rejects`: codes by the key
    of the source row. What is not given is not compared. Rows may be rejected in any number: `rejects` says which.

    Raises `AssertionError` for what is not so, with the rows that differ; `DeclarationError` for rows that no source, or table, has.
    """
    for source, given in known_sources(migration, rows or {}):
        put(stage, source.table, given)
    for id, given in (holds or {}).items():
        put(stage, migration.target(id).table, given)
    trip = _Trip(migration, stage, params or {}, partitions)
    before = trip.tables()
    forth = trip.forth("the run")
    after = trip.tables()
    wrong = [each for id, wanted in (gives or {}).items() for each in trip.given(id, after, wanted)]
    if rejects is not None and (rejected := trip.rejected(forth)) != dict(rejects):
        wrong.append(f"source rows that are rejected: {rejected}, expected {dict(rejects)}")
    trip.refuse("the run did not give what is expected", wrong)
    trip.unchanged("the run changed what is only read", before, after, trip.only_read)
    trip.nothing_to_do(after)
    trip.back(forth, before)
    if again:
        trip.forth("the run after the rollback")
        trip.unchanged("the run after the rollback gave other rows than the first", after, trip.tables(), trip.all)


@dataclass(frozen=True)
class _Trip:
    """A migration on a stage."""

    migration: Migration
    stage: Stage
    params: Row
    partitions: int

    @property
    def all(self) -> list[Table]:
        """Every table, as its target declares it, where it is one."""
        every = (*(s.table for s in self.migration.sources), *(t.table for t in self.migration.targets))
        return list({_place(table): table for table in every}.values())

    @property
    def only_read(self) -> list[Table]:
        """The tables that no target is."""
        written = {_place(target.table) for target in self.migration.targets}
        return [table for table in self.all if _place(table) not in written]

    def tables(self) -> Tables:
        """What is in every table; no row where there is no table."""
        return {_place(table): rows_in(self.stage.store(table.connection), table) for table in self.all}

    def run(self, undoes: str | None = None) -> Run:
        """A run, or the rollback of one."""
        return Run(
            id=f"trip-{next(_numbers)}",
            dag_id=f"{self.migration.id}_rollback" if undoes else self.migration.id,
            migration=self.migration,
            options=Options(
                partitions=None if undoes else self.partitions, segments=1, max_reject_share=1, params=dict(self.params)
            ),
            ledger=self.stage.ledger,
            workspace=self.stage.workspace,
            store=self.stage.store,
            undoes=undoes,
        )

    def walked(self, what: str, run: Run) -> Report:
        """The report of a run that passed."""
        try:
            verdict = walk(run)
        except TrueupError as error:
            raise AssertionError(f"migration {self.migration.id!r}: {what} failed: {error}") from error
        self.refuse(f"{what} did not pass", [] if verdict.status == "passed" else [verdict.headline])
        report = run.files.report
        assert report is not None, "a run that passed has a report"
        return report

    def forth(self, what: str) -> Run:
        """A run that is proven, with no row left alone."""
        run = self.run()
        verdict = self.walked(what, run).verdict
        self.refuse(f"{what} is not proven", [] if verdict.proof == "proven" else [verdict.headline])
        return run

    def nothing_to_do(self, after: Tables) -> None:
        """Run again: every planned row is there already."""
        report = self.walked("the second run", self.run())
        work = [
            f"{verb} {rows[verb]} rows of {phase.phase}"
            for phase in (report.plan.phases if report.plan else ())
            for rows in [phase.rows]
            for verb in ("add", "change", "remove", "drift")
            if rows.get(verb)
        ]
        changes = [*work, *self.changes(after, self.tables(), self.all)] if work else []
        self.refuse("a second run, over the same rows, should find nothing to do, but it would", changes)

    def back(self, undone: Run, before: Tables) -> None:
        """Roll a run back, if it wrote anything: every table is as it was before."""
        if self.stage.ledger.written_ever(undone.id):
            self.walked("the rollback", self.run(undone.id))
        self.unchanged("after the rollback a table is not as it was before the run", before, self.tables(), self.all)

    def given(self, id: str, after: Tables, wanted: Sequence[Row]) -> list[str]:
        """What a target holds and should not, and the other way round."""
        table = self.migration.target(id).table
        dynamodb = self.stage.store(table.connection).kind == "dynamodb"
        held = [
            {name: value for name, value in row.items() if name != MISTYPED} for row in after[_place(table)].values()
        ]
        return differences(table, held, wanted, dynamodb=dynamodb)

    def rejected(self, run: Run) -> dict[str, str]:
        """The code of each source row that a run rejected, by its key."""
        lines = (run.folder.read(REJECTS_JSONL) or b"").decode().splitlines()
        return {each["key"]: each["code"] for each in map(json.loads, lines)}

    def unchanged(self, what: str, before: Tables, after: Tables, tables: Sequence[Table]) -> None:
        """Every one of these tables holds the same rows."""
        self.refuse(what, self.changes(before, after, tables))

    def changes(self, before: Tables, after: Tables, tables: Sequence[Table]) -> list[str]:
        """Which rows are not what they were, and how."""
        return [line for t in tables for line in _changes(t.name, before[_place(t)], after[_place(t)])]

    def refuse(self, what: str, wrong: Sequence[str]) -> None:
        """Raise `AssertionError` where something is wrong."""
        if wrong:
            raise AssertionError(
                f"migration {self.migration.id!r}: {what}:\n" + "\n".join(f"- {each}" for each in wrong)
            )


def _place(table: Table) -> tuple[str, str]:
    return table.connection, table.name


def put(stage: Stage, table: Table, rows: Sequence[Row]) -> None:
    """Write rows down in a table, which is made where it is not there."""
    store = stage.store(table.connection)
    if store.kind == "postgres" and (schema := schema_and_name(table)[0]) != "public":
        store.script(f"CREATE SCHEMA IF NOT EXISTS {duck.identifier(schema)}")
    store.create(table)
    given = as_read(table, rows, dynamodb=store.kind == "dynamodb")
    if store.kind == "postgres" and (
        odd := [row for row in map(shown, in_python(given)) if not {*row} <= {*table.columns}]
    ):
        raise DeclarationError(
            f"{table.name!r} could not hold {odd[0]}: its values are not of the declared columns and types"
        )
    outcome = store.add(table, given)
    if outcome.written < given.num_rows:
        left = [*(each.reason for each in outcome.refused), *(each.reason for each in outcome.conflicts)]
        raise DeclarationError(f"{table.name!r} did not take {given.num_rows - outcome.written} rows: {left[0]}")


def rows_in(store: Store, table: Table) -> Rows:
    """The rows of a table, by their key; none where there is no table."""
    if store.describe(table) is None:
        return {}
    held = [shown(row) for batch in store.read(table, 0, 1) for row in in_python(batch)]
    return {", ".join(str(row[name]) for name in table.key): row for row in held}


def _changes(name: str, before: Rows, after: Rows) -> list[str]:
    """What became of the rows of a table, a line for each of the first."""
    lines = []
    for key in [k for k in {**before, **after} if before.get(k) != after.get(k)][: _SHOWN + 1]:
        was, is_now = before.get(key), after.get(key)
        if was is None:
            lines.append(f"{name}: row {key} was not there: {is_now}")
        elif is_now is None:
            lines.append(f"{name}: row {key} is gone: {was}")
        else:
            differing = {n: (was.get(n), is_now.get(n)) for n in {**was, **is_now} if was.get(n) != is_now.get(n)}
            lines.append(
                f"{name}: row {key}: " + ", ".join(f"{n} was {a!r} and is {b!r}" for n, (a, b) in differing.items())
            )
    return lines if len(lines) <= _SHOWN else [*lines[:_SHOWN], f"{name}: and further rows"]
