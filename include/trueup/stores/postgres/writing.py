"""Writing batches: each goes into a staging table by COPY, and from there by one statement, in one transaction.

Whatever that statement did not write is looked at again in the same transaction: a row that already holds what was
planned counts as written, which makes every batch repeatable after a kill; another is a conflict and stays as it is.
Where the statement wrote less than all, or was refused, it is taken back and the rows are written again in parts, so
that what each row met is known: one that the table refuses or drops is refused, and the others are written.
Rows are staged in the order of their keys, so that two batches lock common rows in the same order.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc
from psycopg import sql

from ...declare.migration import Table, Type
from ...declare.names import EXTRA, MISTYPED
from ...errors import StoreRejectedError
from .. import Conflict, Refused
from . import catalog, columns, emptying
from .catalog import Shape
from .effects import DELETE, INSERT, UPDATE, effects_of
from .given import aligned, differ, in_key_order, only_declared
from .halving import Written, at_once, in_parts
from .looking import REFERENCED, altered, differing, every, key_matches, listed, name_of, referred_to, sorted_out
from .session import Address, Session, session
from .set_off import Watching
from .staging import FROM_STAGE, Staged, of_rows, stage

_ALL = sql.SQL("true")
Statement = Callable[[sql.Composable], sql.Composable]
"""What writes the staged rows of which a condition holds."""
Unfit = Callable[[sql.Composable], dict[int, tuple[str, str | None]]]
"""Those of the staged rows of which a condition holds that would be altered, and why."""


@dataclass
class Left:
    """The rows of a batch that were not written."""

    conflicts: list[Conflict] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.conflicts or self.refused)

    def __iadd__(self, more: Left) -> Left:
        self.conflicts += more.conflicts
        self.refused += more.refused
        return self


def add(address: Address, table: Table, rows: pa.Table) -> Left:
    """Insert rows that must not be there yet. Returns those that are, with other content, and those that are refused."""
    with session(address, doing=f"add rows to table {table.name}") as opened:
        return _watched(opened, lambda watching: add_in(opened, table, rows, watching))


def _watched(opened: Session, write: Callable[[Watching], Left]) -> Left:
    watching = Watching(opened)
    left = write(watching)
    watching.tell()
    return left


def add_in(opened: Session, table: Table, rows: pa.Table, watching: Watching, *, alone: bool = True) -> Left:
    """`add` in a transaction that is open. Not `alone` in it, what is refused is the server's error."""
    rows = in_key_order(table, rows)
    only_declared(opened.place, table, rows)
    shape = catalog.require_writable(opened, table)
    watching.begin(shape)
    stored = [shape.columns[name] for name in table.columns]
    names = [f"n{i}" for i in range(len(stored))]
    stage(opened, of_rows(table, rows, names))
    given = dict(zip(table.columns, names, strict=True))
    # without a name, a row that meets another's value in any unique index would be left out without an error
    insert = sql.SQL(
        "INSERT INTO {} ({}) OVERRIDING SYSTEM VALUE SELECT {} FROM {} WHERE {} ON CONFLICT ({}) DO NOTHING"
    )

    def statement(part: sql.Composable) -> sql.Composable:
        return insert.format(
            name_of(shape),
            listed([sql.Identifier(column.name) for column in stored]),
            listed([columns.staged(column, name) for column, name in zip(stored, names, strict=True)]),
            FROM_STAGE,
            part,
            listed([sql.Identifier(name) for name in table.key]),
        )

    def unfit(part: sql.Composable) -> dict[int, tuple[str, str | None]]:
        return altered(opened, table, shape, rows, given, part)

    def numbered(part: sql.Composable) -> sql.Composable:
        keys = listed([sql.Identifier(name) for name in table.key])
        wrote = sql.SQL("WITH t AS ({} RETURNING {}) SELECT s.r FROM t JOIN {} ON {}")
        # of two keys that the table takes for one, only one was written: the one that it holds
        exactly = [columns.same(table.columns[name], shape.columns[name], given[name]) for name in table.key]
        match = every([key_matches(table, shape, names), *exactly])
        return wrote.format(statement(part), keys, FROM_STAGE, match)

    done = _written(opened, rows.num_rows, statement, numbered, unfit, alone=alone)
    watching.wrote(table, INSERT, rows, done)
    if done is None:
        return Left()
    rest = [r for r in range(rows.num_rows) if r not in done.rows and r not in done.refused]
    left = differing(opened, table, shape, names, rest)
    words = "a row with this key is there, with other content"
    return Left(*sorted_out(opened, table, shape, rows, names, done, left, INSERT, words))


def change(address: Address, table: Table, rows: pa.Table, before: pa.Table, *, cascade_to: Sequence[str] = ()) -> Left:
    """Update rows that are as before, in the columns that differ. Returns those that are neither old nor new, and those
    that are refused."""
    with session(address, doing=f"change rows of table {table.name}") as opened:
        return _watched(
            opened, lambda watching: change_in(opened, table, rows, before, watching, cascade_to=cascade_to)
        )


def change_in(
    opened: Session,
    table: Table,
    rows: pa.Table,
    before: pa.Table,
    watching: Watching,
    *,
    alone: bool = True,
    cascade_to: Sequence[str] = (),
) -> Left:
    """`change` in a transaction that is open. Not `alone` in it, what is refused is the server's error."""
    order = pc.sort_indices(rows, [(name, "ascending") for name in table.key])
    rows, before = aligned(table, rows.take(order)), aligned(table, before.take(order))
    only_declared(opened.place, table, rows, before)
    if any(pc.any(differ(rows[name], before[name])).as_py() for name in table.key):
        raise StoreRejectedError(f"table {table.name}: the rows to change and their before-images have different keys.")
    shape = catalog.require_writable(opened, table)
    watching.begin(shape)
    stored = [shape.columns[name] for name in table.columns]
    changed = [i for i, name in enumerate(table.columns) if pc.any(differ(rows[name], before[name])).as_py()]
    new_names = [f"n{i}" if i in changed else f"b{i}" for i in range(len(stored))]
    staged = of_rows(table, before, [f"b{i}" for i in range(len(stored))])
    columns_of = list(table.columns)
    staged += [Staged(f"n{i}", table.columns[columns_of[i]], rows[columns_of[i]]) for i in changed]
    as_before = _as_read(table, shape, before, staged)
    stage(opened, staged)
    # compared as they are staged: a flag for each column would make a staging table wider than PostgreSQL allows
    differs = {i: columns.differ(table.columns[columns_of[i]], f"n{i}", f"b{i}") for i in changed}
    match = key_matches(table, shape, new_names)
    by_name = {columns_of[i]: condition for i, condition in differs.items()}
    losing = emptying.losing(effects_of(opened, shape.oid), by_name, cascade_to) if changed else []
    if losing:
        emptying.lock(opened, shape, match)
    update = sql.SQL("UPDATE {} AS t SET {} FROM {} WHERE {} AND ({}) AND {} AND {}")

    def statement(part: sql.Composable) -> sql.Composable:
        assignments = [
            sql.SQL("{} = CASE WHEN {} THEN {} ELSE {} END").format(
                sql.Identifier(stored[i].name), differs[i], columns.staged(stored[i], f"n{i}"), stored[i].sql
            )
            for i in changed
        ]
        some = sql.SQL(" OR ").join(differs.values())
        return update.format(name_of(shape), listed(assignments), FROM_STAGE, match, some, every(as_before), part)

    def unfit(part: sql.Composable) -> dict[int, tuple[str, str | None]]:
        unfit_rows = altered(opened, table, shape, rows, {columns_of[i]: f"n{i}" for i in changed}, part)
        if losing:
            unfit_rows |= emptying.emptied(opened, shape, match, losing, every([*as_before, part]))
        return unfit_rows

    done: Written | None = Written()
    if changed:
        done = _written(opened, rows.num_rows, statement, _returning(statement), unfit, alone=alone)
    watching.wrote(table, UPDATE, rows, done)
    if done is None:
        return Left()
    rest = [r for r in range(rows.num_rows) if r not in done.rows and r not in done.refused]
    unchanged = [name for i, name in enumerate(table.columns) if i not in changed]
    left = differing(opened, table, shape, new_names, rest, as_before, unchanged)
    words = "the row has changed since it was planned"
    return Left(*sorted_out(opened, table, shape, rows, new_names, done, left, UPDATE, words))


def _returning(statement: Statement) -> Statement:
    return lambda part: sql.SQL("WITH w AS ({} RETURNING s.r) SELECT r FROM w").format(statement(part))


def remove(address: Address, table: Table, rows: pa.Table, *, cascade_to: Sequence[str] = ()) -> Left:
    """Delete rows that are as given, undeclared columns included. Returns those that are there with other content, and
    those that are refused."""
    with session(address, doing=f"remove rows from table {table.name}") as opened:
        return _watched(opened, lambda watching: remove_in(opened, table, rows, watching, cascade_to=cascade_to))


def remove_in(
    opened: Session,
    table: Table,
    rows: pa.Table,
    watching: Watching,
    *,
    alone: bool = True,
    cascade_to: Sequence[str] = (),
) -> Left:
    """`remove` in a transaction that is open. Not `alone` in it, what is refused is the server's error."""
    rows = in_key_order(table, rows)
    shape = catalog.require_writable(opened, table)
    watching.begin(shape)
    names = [f"b{i}" for i in range(len(table.columns))]
    staged = of_rows(table, rows, names)
    as_given = _as_read(table, shape, rows, staged)
    if undeclared := shape.extras(table):
        staged.append(Staged("extra", Type.JSON, rows[EXTRA]))
        as_given.append(sql.SQL("{} IS NOT DISTINCT FROM s.extra::jsonb").format(columns.extra(undeclared)))
    stage(opened, staged)
    key, still = key_matches(table, shape, names), every(as_given)
    effects = effects_of(opened, shape.oid)
    # where triggers do not fire (`session_replication_role`), the server does not look whether others refer to a row, nor cascades
    taking = [one for one in effects.references if one.takes_along and one.name not in cascade_to]
    taking = [one for one in effects.references if not one.own] if effects.replica else taking
    referred = [(one, referred_to(one)) for one in taking]
    if referred:  # so that nobody can begin to refer to them between the look and the deletion
        emptying.lock(opened, shape, key)
    free = [sql.SQL("NOT {}").format(condition) for _, condition in referred]

    def statement(part: sql.Composable) -> sql.Composable:
        delete = sql.SQL("DELETE FROM {} AS t USING {} WHERE {} AND {}")
        return delete.format(name_of(shape), FROM_STAGE, key, every([still, *free, part]))

    done = _written(opened, rows.num_rows, statement, _returning(statement), lambda _: {}, alone=alone)
    watching.wrote(table, DELETE, rows, done)
    if done is None:
        return Left()
    by = [sql.SQL("WHEN {} THEN {}").format(condition, sql.Literal(one.name)) for one, condition in referred]
    left = opened.fetch(
        sql.SQL(
            "SELECT s.r, to_json(t)::text AS found, true AS here, coalesce({}, false) AS before, CASE {} ELSE NULL END::text AS referred"
            " FROM {} JOIN {} AS t ON {} WHERE s.r <> ALL({}::int8[])"
        ).format(
            still,
            sql.SQL(" ").join(by) if by else sql.SQL("WHEN false THEN ''"),
            FROM_STAGE,
            name_of(shape),
            key,
            sql.Literal(f"{{{', '.join(map(str, done.refused))}}}"),
        )
    )
    for row in left.select(["r", "before", "referred"]).to_pylist():
        if row["before"] and row["referred"] is not None:
            fate = "would be left without it" if effects.replica else "would take them along"
            done.refused[row["r"]] = (f"{row['referred']} {fate} {REFERENCED}", row["referred"])
    left = left.filter(pc.invert(pc.and_(left["before"], left["referred"].is_valid())))
    words = "the row has changed since it was written"
    return Left(*sorted_out(opened, table, shape, rows, names, done, left, DELETE, words))


def _written(
    opened: Session, rows: int, statement: Statement, numbered: Statement, unfit: Unfit, *, alone: bool
) -> Written | None:
    """What came of writing the staged rows; None: all of them are written. `numbered` does what `statement` does, and
    gives the numbers `r` of the rows that it wrote."""

    def whole() -> int:
        return -1 if unfit(_ALL) else opened.execute(statement(_ALL))

    if at_once(opened, rows, whole, check=alone):
        return None
    odd: dict[int, tuple[str, str | None]] = {}

    def write(part: sql.Composable) -> set[int]:
        unfit_rows = unfit(part)
        odd.update(unfit_rows)
        fit = sql.SQL("{} AND s.r <> ALL({}::int8[])").format(
            part, sql.Literal(f"{{{', '.join(map(str, unfit_rows))}}}")
        )
        return set(opened.fetch(numbered(fit))["r"].to_pylist())

    done = in_parts(opened, rows, write) if alone else Written(write(_ALL))
    done.refused = odd | done.refused
    return done


def _as_read(table: Table, shape: Shape, rows: pa.Table, staged: list[Staged]) -> list[sql.Composable]:
    """The conditions that the table's row is the one that was read; stages `_mistyped` where any row has it."""
    stored = [(type_, shape.columns[name], f"b{i}") for i, (name, type_) in enumerate(table.columns.items())]
    if rows[MISTYPED].null_count == rows.num_rows:
        return [columns.same(*one) for one in stored]
    staged.append(Staged("odd", Type.JSON, rows[MISTYPED]))
    odd = sql.SQL("{} IS NOT DISTINCT FROM s.odd::jsonb").format(columns.mistyped(table, shape.columns))
    return [odd, *(columns.same_as_read(*one) for one in stored)]
