"""Writing batches: each goes into a staging table by COPY, and from there by one statement, in one transaction.

Whatever that statement did not write is looked at again in the same transaction: a row that already holds what was
planned counts as written, which makes every batch repeatable after a kill; another is a conflict and stays as it is.
Rows are staged in the order of their keys, so that two batches lock common rows in the same order.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
from psycopg import sql

from ...errors import StoreRejectedError
from ...model import Table, Type
from ...names import EXTRA, MISTYPED
from .. import Conflict, arrow_schema, key_text
from . import catalog, columns
from .catalog import Shape
from .session import Address, Session, session
from .staging import FROM_STAGE, Staged, of_rows, stage


def add(address: Address, table: Table, rows: pa.Table) -> list[Conflict]:
    """Insert rows that must not be there yet. Returns those that are, with other content."""
    with session(address, doing=f"add rows to table {table.name}") as opened:
        return add_in(opened, table, rows)


def add_in(opened: Session, table: Table, rows: pa.Table) -> list[Conflict]:
    """`add` in a transaction that is open."""
    rows = _in_key_order(table, rows)
    _only_declared(opened.place, table, rows[EXTRA].is_valid(), rows[MISTYPED].is_valid())
    shape = catalog.require_writable(opened, table)
    stored = [shape.columns[name] for name in table.columns]
    names = [f"n{i}" for i in range(len(stored))]
    stage(opened, of_rows(table, rows, names))
    _refuse_altered(opened, table, shape, rows, dict(zip(table.columns, names, strict=True)))
    inserted = opened.execute(
        sql.SQL("INSERT INTO {} ({}) OVERRIDING SYSTEM VALUE SELECT {} FROM {} ON CONFLICT DO NOTHING").format(
            _name(shape),
            _listed([sql.Identifier(column.name) for column in stored]),
            _listed([columns.staged(column, name) for column, name in zip(stored, names, strict=True)]),
            FROM_STAGE,
        )
    )
    if inserted == rows.num_rows:
        return []
    same = [columns.same(column, name) for column, name in zip(stored, names, strict=True)]
    left = _differing(opened, table, shape, names, same)
    return _conflicts(
        table,
        rows,
        left,
        "a row with this key is there, with other content",
        "was not inserted, and has no row: another row has one of its unique values",
    )


def change(address: Address, table: Table, rows: pa.Table, before: pa.Table) -> list[Conflict]:
    """Update rows that are as before, in the columns that differ. Returns those that are neither old nor new."""
    with session(address, doing=f"change rows of table {table.name}") as opened:
        return change_in(opened, table, rows, before)


def change_in(opened: Session, table: Table, rows: pa.Table, before: pa.Table) -> list[Conflict]:
    """`change` in a transaction that is open."""
    order = pc.sort_indices(rows, [(name, "ascending") for name in table.key])
    rows, before = _aligned(table, rows.take(order)), _aligned(table, before.take(order))
    _only_declared(
        opened.place,
        table,
        pc.and_(rows[EXTRA].is_valid(), _differs(rows[EXTRA], before[EXTRA])),
        rows[MISTYPED].is_valid(),
    )
    if any(pc.any(_differs(rows[name], before[name])).as_py() for name in table.key):
        raise StoreRejectedError(f"table {table.name}: the rows to change and their before-images have different keys.")
    shape = catalog.require_writable(opened, table)
    stored = [shape.columns[name] for name in table.columns]
    differs = {name: _differs(rows[name], before[name]) for name in table.columns}
    changed = [i for i, name in enumerate(table.columns) if pc.any(differs[name]).as_py()]
    new_names = [f"n{i}" if i in changed else f"b{i}" for i in range(len(stored))]
    staged = of_rows(table, before, [f"b{i}" for i in range(len(stored))])
    for i in changed:
        name = list(table.columns)[i]
        staged += [Staged(f"n{i}", table.columns[name], rows[name]), Staged(f"d{i}", Type.BOOLEAN, differs[name])]
    as_before = _as_read(table, shape, before, staged)
    stage(opened, staged)
    _refuse_altered(opened, table, shape, rows, {list(table.columns)[i]: f"n{i}" for i in changed})
    written = 0
    if changed:
        assignments = [
            sql.SQL("{} = CASE WHEN {} THEN {} ELSE {} END").format(
                sql.Identifier(stored[i].name),
                sql.Identifier("s", f"d{i}"),
                columns.staged(stored[i], f"n{i}"),
                stored[i].sql,
            )
            for i in changed
        ]
        any_change = sql.SQL(" OR ").join(sql.Identifier("s", f"d{i}") for i in changed)
        written = opened.execute(
            sql.SQL("UPDATE {} AS t SET {} FROM {} WHERE {} AND ({}) AND {}").format(
                _name(shape),
                _listed(assignments),
                FROM_STAGE,
                _key_matches(table, shape, new_names),
                any_change,
                _all(as_before),
            )
        )
    if written == rows.num_rows:
        return []
    same = [columns.same(column, name) for column, name in zip(stored, new_names, strict=True)]
    left = _differing(opened, table, shape, new_names, same)
    return _conflicts(table, rows, left, "the row has changed since it was planned", "the row is gone")


def remove(address: Address, table: Table, rows: pa.Table) -> list[Conflict]:
    """Delete rows that are as given, undeclared columns included. Returns those that are there with other content."""
    with session(address, doing=f"remove rows from table {table.name}") as opened:
        return remove_in(opened, table, rows)


def remove_in(opened: Session, table: Table, rows: pa.Table) -> list[Conflict]:
    """`remove` in a transaction that is open."""
    rows = _in_key_order(table, rows)
    shape = catalog.require_writable(opened, table)
    names = [f"b{i}" for i in range(len(table.columns))]
    staged = of_rows(table, rows, names)
    as_given = _as_read(table, shape, rows, staged)
    if undeclared := shape.undeclared(table):
        staged.append(Staged("extra", Type.JSON, rows[EXTRA]))
        as_given.append(sql.SQL("{} IS NOT DISTINCT FROM s.extra::jsonb").format(columns.extra(undeclared)))
    stage(opened, staged)
    key = _key_matches(table, shape, names)
    deleted = opened.execute(
        sql.SQL("DELETE FROM {} AS t USING {} WHERE {} AND {}").format(_name(shape), FROM_STAGE, key, _all(as_given))
    )
    if deleted == rows.num_rows:
        return []
    left = opened.fetch(
        sql.SQL("SELECT s.r, to_jsonb(t)::text AS found FROM {} JOIN {} AS t ON {}").format(
            FROM_STAGE, _name(shape), key
        )
    )
    return _conflicts(table, rows, left, "the row has changed since it was written", "")


def _aligned(table: Table, rows: pa.Table) -> pa.Table:
    schema = arrow_schema(table)
    return rows.select(schema.names).cast(schema)


def _in_key_order(table: Table, rows: pa.Table) -> pa.Table:
    return _aligned(table, rows).sort_by([(name, "ascending") for name in table.key])


def _only_declared(place: str, table: Table, extra: pa.ChunkedArray, mistyped: pa.ChunkedArray) -> None:
    for name, held in ((EXTRA, extra), (MISTYPED, mistyped)):
        if pc.any(held).as_py():
            raise StoreRejectedError(
                f"{place}: table {table.name} has no place for what {pc.sum(held).as_py()} planned rows hold in"
                f" {name}. Declare a column for it, or leave it out in the transform."
            )


def _as_read(table: Table, shape: Shape, rows: pa.Table, staged: list[Staged]) -> list[sql.Composable]:
    """The conditions that the table's row is the one that was read; stages `_mistyped` where any row has it."""
    stored = [(type_, shape.columns[name], f"b{i}") for i, (name, type_) in enumerate(table.columns.items())]
    if rows[MISTYPED].null_count == rows.num_rows:
        return [columns.same(column, name) for _, column, name in stored]
    staged.append(Staged("odd", Type.JSON, rows[MISTYPED]))
    odd = sql.SQL("{} IS NOT DISTINCT FROM s.odd::jsonb").format(columns.mistyped(table, shape.columns))
    return [odd, *(columns.same_as_read(*one) for one in stored)]


def _refuse_altered(opened: Session, table: Table, shape: Shape, rows: pa.Table, names: Mapping[str, str]) -> None:
    """Raise `StoreRejectedError` if a column could hold a staged value only by changing it."""
    checks = {
        column: condition
        for column, name in names.items()
        if (condition := columns.altered(table.columns[column], shape.columns[column], name)) is not None
    }
    if not checks:
        return
    query = sql.SQL("SELECT s.r, {} FROM {} WHERE {} LIMIT 1").format(
        _listed([sql.SQL("({}) AS {}").format(one, sql.Identifier(f"a{i}")) for i, one in enumerate(checks.values())]),
        FROM_STAGE,
        sql.SQL(" OR ").join(checks.values()),
    )
    for found in opened.fetch(query).to_pylist():
        column = next(column for i, column in enumerate(checks) if found[f"a{i}"])
        (key,) = keys_of(table, rows.slice(found["r"], 1))
        given = pc.cast(rows[column][found["r"]], pa.string()).as_py()
        raise StoreRejectedError(
            f"{opened.place}: table {table.name}, row {key!r}: column {column!r} ({shape.columns[column].exact}) would"
            f" hold {given!r} only as another value. Mend the transform, or reject the row."
        )


def _differing(
    opened: Session, table: Table, shape: Shape, names: Sequence[str], same: Sequence[sql.Composable]
) -> pa.Table:
    """Staged rows (`r`) that the table does not hold as wanted, with what it holds (`found`, null if nothing)."""
    return opened.fetch(
        sql.SQL(
            "SELECT s.r, CASE WHEN {key} IS NOT NULL THEN to_jsonb(t) END::text AS found"
            " FROM {stage} LEFT JOIN {name} AS t ON {match} WHERE {key} IS NULL OR NOT ({same})"
        ).format(
            key=shape.columns[table.key[0]].sql,
            stage=FROM_STAGE,
            name=_name(shape),
            match=_key_matches(table, shape, names),
            same=_all(same),
        )
    )


def _key_matches(table: Table, shape: Shape, names: Sequence[str]) -> sql.Composable:
    staged = dict(zip(table.columns, names, strict=True))
    return _all(
        [
            sql.SQL("{} = {}").format(shape.columns[key].sql, columns.staged(shape.columns[key], staged[key]))
            for key in table.key
        ]
    )


def _conflicts(table: Table, rows: pa.Table, left: pa.Table, differs: str, absent: str) -> list[Conflict]:
    if not left.num_rows:
        return []
    keys = keys_of(table, rows.take(left["r"]))
    return [
        Conflict(key=key, reason=differs if found is not None else absent, found=found)
        for key, found in zip(keys, left["found"].to_pylist(), strict=True)
    ]


def keys_of(table: Table, rows: pa.Table) -> list[str]:
    """The text of each row's key."""
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.register("rows", rows.select(list(table.key)))
        return [text for (text,) in connection.execute(f"SELECT {key_text(table.key)} FROM rows").fetchall()]


def _differs(new: pa.ChunkedArray, old: pa.ChunkedArray) -> pa.ChunkedArray:
    new, old = _by_bits(new), _by_bits(old)
    either_null = pc.not_equal(pc.is_null(new), pc.is_null(old))
    return pc.fill_null(pc.not_equal(new, old), either_null)


def _by_bits(values: pa.ChunkedArray) -> pa.ChunkedArray:
    """Floats by their bits: -0.0 is not 0.0, NaN equals NaN, of which there is one."""
    if not pa.types.is_floating(values.type):
        return values
    return pa.chunked_array([chunk.view(pa.int64()) for chunk in values.chunks], pa.int64())


def _name(shape: Shape) -> sql.Composable:
    return sql.Identifier(shape.schema, shape.name)


def _listed(parts: Sequence[sql.Composable]) -> sql.Composable:
    return sql.SQL(", ").join(parts)


def _all(conditions: Sequence[sql.Composable]) -> sql.Composable:
    return sql.SQL(" AND ").join(conditions)
