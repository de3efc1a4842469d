"""Rehearse: the run's revisions on a clone of the database, up, with sample rows in, down, and up again.

What it finds out is what nobody can see in a script: that a way down loses rows of tables that were there before, or
does not lead back to the schema it came from. The clone is dropped, whatever happens.
"""

from __future__ import annotations

import difflib
import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import sqlalchemy as sa

from ..errors import StoreRejectedError
from ..run import REAL, Effects
from ..run.schema_records import Measured, Rehearsed
from . import describe, samples
from .clone import clone_of
from .describe import Database, Object, Schema
from .history import History, Revision

Holding = dict[str, describe.Rows]
log = logging.getLogger(__name__)

_TABLES = sa.text(
    "SELECT CAST(c.oid AS bigint), concat(nullif(n.nspname, 'public') || '.', c.relname) FROM pg_class c "
    "JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'p') AND n.nspname !~ '^pg_|^information_schema$'"
)
_LOCKS = sa.text(
    "SELECT CAST(relation AS bigint), mode FROM pg_locks WHERE pid = pg_backend_pid() AND relation IS NOT NULL"
)
_STRENGTH = (
    "none", "AccessShareLock", "RowShareLock", "RowExclusiveLock", "ShareUpdateExclusiveLock", "ShareLock",
    "ShareRowExclusiveLock", "ExclusiveLock", "AccessExclusiveLock",
)  # fmt: skip
SHOWN = 12
"""Maximum diff lines shown."""


@dataclass(kw_only=True)
class _Rehearsal:
    """What a rehearsal has found so far (`Rehearsed`)."""

    steps: int = 0
    sample_rows: int = 0
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    touched: list[str] = field(default_factory=list)
    lost: dict[str, int] = field(default_factory=dict)
    measured: list[Measured] = field(default_factory=list)

    def whole(self, database: str, cloned_by: str) -> Rehearsed:
        """All of it, at the end."""
        return Rehearsed(
            database=database,
            cloned_by=cloned_by,
            steps=self.steps,
            sample_rows=self.sample_rows,
            problems=tuple(self.problems),
            notes=tuple(self.notes),
            touched=tuple(self.touched),
            lost=self.lost,
            measured=tuple(self.measured),
        )


def rehearse(
    history: History, at: Database, steps: list[Revision], clone: str, lock_timeout: float, effects: Effects = REAL
) -> Rehearsed:
    """Rehearse the steps on a clone of that name of the database.

    A revision that fails, on whichever way, is a problem, and the rehearsal ends there. Raises `StoreUnavailableError`
    when the database cannot be cloned because somebody uses it."""
    database, rehearsal = history.declared.id, _Rehearsal()
    if not steps:
        return rehearsal.whole(database, "")
    with clone_of(at, clone, effects) as (copy, cloned_by):
        stage = _Stage(history, copy, lock_timeout, rehearsal, effects)
        start, rows = stage.look()
        here = start
        for step in steps:
            before = here
            try:
                here = stage.step(step)
            except StoreRejectedError as error:
                rehearsal.problems.append(str(error))
                break
            rehearsal.steps += 1
            rehearsal.touched += [
                t for t in describe.touched(before, here) if ("table", t) in start and t not in rehearsal.touched
            ]
            lost = [key for key in describe.lost(before, here) if key in start]
            rehearsal.lost |= {f"{kind} {name}": _held(rows, kind, name) for kind, name in lost}
            rehearsal.measured[-1] = replace(
                rehearsal.measured[-1], lost=tuple(f"{kind} {name}" for kind, name in lost)
            )
    log.info("%s: %s steps rehearsed, %s problems", database, rehearsal.steps, len(rehearsal.problems))
    return rehearsal.whole(database, cloned_by)


def _held(rows: Holding, kind: str, name: str) -> int:
    """How many rows of a table, or values of a column, the real database holds."""
    if kind == "table":
        return rows[name].count
    table, _, column = name.rpartition(".")
    return rows[table].values[column]


def _kept(was: Holding, *schemas: Schema) -> Holding:
    """The rows as they were, of those tables and columns that each of the schemas has."""
    return {
        table: replace(
            rows,
            checksums={
                c: x for c, x in rows.checksums.items() if all(("column", f"{table}.{c}") in s for s in schemas)
            },
        )
        for table, rows in was.items()
        if all(("table", table) in s for s in schemas)
    }


class _Stage:
    """A clone, and what happens on it."""

    def __init__(
        self, history: History, at: Database, lock_timeout: float, rehearsal: _Rehearsal, effects: Effects
    ) -> None:
        self._effects = effects
        self._history, self._at, self._lock_timeout, self._rehearsal = history, at, lock_timeout, rehearsal

    @contextmanager
    def _open(self, doing: str) -> Iterator[sa.Connection]:
        with describe.connected(self._at, f"rehearse {doing}", lock_timeout=self._lock_timeout) as connection:
            yield connection

    def look(self) -> tuple[Schema, Holding]:
        """The clone's schema and rows."""
        with self._open("a look at it") as connection:
            schema = describe.schema(connection, self._history.declared.version_table)
            return schema, describe.rows(connection, schema)

    def step(self, step: Revision) -> Schema:
        """One revision: there, with sample rows in, back, and there again; the schema it leads to."""
        self._sample(step)
        before, was = self.look()
        self._run(step, measure=True)
        after, now = self.look()
        if not step.breaking:
            self._same_rows(step, _kept(was, before, after), now)
        if step.irreversible:
            self._rehearsal.notes.append(f"{step.name} cannot be undone: {step.irreversible}")
            return after
        back = self._history.back(step)
        self._sample(step)
        _, was = self.look()
        self._run(back)
        seen, now = self.look()
        others = self._of_others(step, before, after, seen)
        self._same_schema(back, {key: d for key, d in before.items() if key not in others}, seen)
        if not step.breaking:
            self._same_rows(back, _kept(was, before, after), now)
        self._run(step)
        seen, now = self.look()
        self._same_schema(step, after, seen)
        if not step.breaking:
            self._same_rows(step, _kept(was, before, after), now)
        return after

    def _run(self, step: Revision, *, measure: bool = False) -> None:
        with self._open(step.name) as connection:
            if not measure:
                self._history.run(connection, step)
                return
            tables: dict[int, str] = {}
            locked: dict[str, str] = {}
            own = self._history.declared.version_table

            def first() -> None:
                tables.update({oid: name for oid, name in connection.execute(_TABLES) if name != own})

            def last() -> None:
                for oid, mode in connection.execute(_LOCKS):
                    name = tables.get(oid)
                    if name is not None and _STRENGTH.index(mode) > _STRENGTH.index(locked.get(name, _STRENGTH[0])):
                        locked[name] = mode

            began = self._effects.monotonic()
            self._history.run(connection, step, first, last)
            seconds = round(self._effects.monotonic() - began, 2)
            held = dict(sorted(locked.items()))
            self._rehearsal.measured.append(Measured(revision=step.revision, up=step.up, seconds=seconds, locked=held))

    def _sample(self, step: Revision) -> None:
        with self._open(f"{step.name}: sample rows") as connection:
            done = samples.fill(
                connection, describe.tables(describe.schema(connection, self._history.declared.version_table))
            )
        self._rehearsal.sample_rows += sum(done.made.values())
        for table, why in done.without.items():
            note = f"table {table} was rehearsed without rows: {why}"
            if note not in self._rehearsal.notes:
                self._rehearsal.notes.append(note)

    def _same_rows(self, step: Revision, was: Holding, now: Holding) -> None:
        self._rehearsal.problems += [f"{step.name}: {loss}" for loss in describe.rows_lost(was, now)]

    def _of_others(self, step: Revision, before: Schema, after: Schema, current: Schema) -> set[Object]:
        """Indexes that go with a table or a column on the way down, and that the way up does not make: somebody else made them,
        and no revision can bring them back."""
        if step.up:
            return set()
        gone = describe.lost(before, after)
        tables = {name for kind, name in gone if kind == "table"}
        columns = [(before[key].table, key[1].rpartition(".")[2]) for key in gone if key[0] == "column"]

        def goes(key: Object) -> bool:
            of, text = before[key].table, before[key].text
            return of in tables or any(of == table and re.search(rf"\b{re.escape(c)}\b", text) for table, c in columns)

        others = {key for key in before if key[0] == "index" and key not in after and key not in current and goes(key)}
        words = "goes with it, and the way up does not make it again"
        self._rehearsal.notes += [f"{step.name}: the index {name} {words}" for _, name in sorted(others)]
        return others

    def _same_schema(self, step: Revision, wanted: Schema, current: Schema) -> None:
        lines = list(
            difflib.unified_diff(
                describe.text(wanted).splitlines(), describe.text(current).splitlines(), n=0, lineterm=""
            )
        )
        changes = [line for line in lines if line[:1] in "+-" and not line.startswith(("+++", "---"))]
        if changes:
            more = f" and {len(changes) - SHOWN} more" if len(changes) > SHOWN else ""
            self._rehearsal.problems.append(
                f"{step.name} does not restore the schema that was there (-: missing, +: too many): "
                f"{'; '.join(changes[:SHOWN])}{more}"
            )
