"""Looking at what is staged: values that a column would alter, and rows that the table does not hold as wanted."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import adbc_driver_manager as adbc
import duckdb
import pyarrow as pa
import pyarrow.compute as pc
from psycopg import sql

from ...declare.migration import Table
from .. import Conflict, Reference, Refused, key_text
from . import columns
from .catalog import Shape
from .effects import DELETE, UPDATE, effects_of
from .failures import refusal
from .halving import Written
from .session import Session
from .staging import FROM_STAGE

REFERENCED = "(SQLSTATE 23503)"


def altered(
    opened: Session, table: Table, shape: Shape, rows: pa.Table, names: Mapping[str, str], part: sql.Composable
) -> dict[int, tuple[str, str | None]]:
    """The staged rows of the part that a column could hold only by changing a value: why, and which column."""
    checks = {
        column: condition
        for column, name in names.items()
        if (condition := columns.altered(table.columns[column], shape.columns[column], name)) is not None
    }
    if not checks:
        return {}
    query = sql.SQL("SELECT s.r, {} FROM {} WHERE {} AND ({})").format(
        listed([sql.SQL("({}) AS {}").format(one, sql.Identifier(f"a{i}")) for i, one in enumerate(checks.values())]),
        FROM_STAGE,
        part,
        sql.SQL(" OR ").join(checks.values()),
    )
    reasons: dict[int, tuple[str, str | None]] = {}
    for row in opened.fetch(query).to_pylist():
        column = next(column for i, column in enumerate(checks) if row[f"a{i}"])
        value = pc.cast(rows[column][row["r"]], pa.string()).as_py()  # Python knows no year above 9999
        reason = f"column {column!r} ({shape.columns[column].exact}) would hold {value!r} only as another value"
        reasons[row["r"]] = (reason, f"column {column}")
    return reasons


def differing(
    opened: Session,
    table: Table,
    shape: Shape,
    names: Sequence[str],
    wanted: Collection[int],
    as_before: Sequence[sql.Composable] = (),
    unchanged: Collection[str] = (),
) -> pa.Table:
    """Of the staged rows of these numbers, `r` of those that the table does not hold as planned: what it holds (`found`,
    null if nothing), whether under exactly that key (`here`), and whether that is as before (`before`). Columns that are
    `unchanged` are staged as they were read, which is null for a value that has no canonical form."""
    staged = dict(zip(table.columns, names, strict=True))
    same = {
        name: columns.same_as_read(type_, shape.columns[name], staged[name])
        if name in unchanged
        else columns.same(type_, shape.columns[name], staged[name])
        for name, type_ in table.columns.items()
    }
    return opened.fetch(
        sql.SQL(
            "SELECT s.r, CASE WHEN {key} IS NOT NULL THEN to_json(t) END::text AS found,"  # a jsonb holds less than a json
            " coalesce({here}, false) AS here, coalesce({before}, false) AS before"
            " FROM {stage} LEFT JOIN {name} AS t ON {match}"
            " WHERE s.r = ANY({wanted}::int8[]) AND ({key} IS NULL OR NOT ({same}))"
        ).format(
            key=shape.columns[table.key[0]].sql,
            here=every([same[name] for name in table.key]),
            before=every(as_before) if as_before else sql.SQL("false"),
            stage=FROM_STAGE,
            name=name_of(shape),
            match=key_matches(table, shape, names),
            wanted=sql.Literal(f"{{{', '.join(str(r) for r in wanted)}}}"),
            same=every(list(same.values())),
        )
    )


def sorted_out(
    opened: Session,
    table: Table,
    shape: Shape,
    rows: pa.Table,
    names: Sequence[str],
    done: Written,
    left: pa.Table,
    event: str,
    words: str,
) -> tuple[list[Conflict], list[Refused]]:
    """The rows that are not as planned though no error said so (`left`, of `differing`), and those that were refused.

    A row that is there with other content is a conflict, for the reason `words`. One that does not exist, or that is as it
    was, the table let disappear, or took for another."""
    conflicts: list[Conflict] = []
    refused: list[Refused] = []
    staged = dict(zip(table.columns, names, strict=True))
    if not left.num_rows and not done.refused:
        return conflicts, refused
    effects = effects_of(opened, shape.oid)
    numbers = [*left["r"].to_pylist(), *done.refused]
    keys = dict(zip(numbers, keys_of(table, rows.take(numbers)), strict=True))
    for r, other, here, before in zip(*(left[n].to_pylist() for n in ("r", "found", "here", "before")), strict=True):
        by = effects.droppers(event)
        silently = f"by {by}" if by else "by a trigger, a rule or a policy of the table"
        if other is None and event == UPDATE:
            conflicts.append(Conflict(key=keys[r], reason="the row is gone", found=None))
        elif other is None:
            reason = f"was not written, and there was no error: it was dropped {silently}"
            refused.append(Refused(key=keys[r], reason=reason, constraint=by))
        elif not here:
            primary = next((index.name for index in shape.indexes if index.primary), None)
            reason = (
                f"has a key that the table treats as the key of another row ({other}): check the collation of the key"
            )
            refused.append(Refused(key=keys[r], reason=reason, constraint=primary))
        elif before:
            reason = f"is unchanged, and there was no error: its change was dropped {silently}"
            refused.append(Refused(key=keys[r], reason=reason, constraint=by))
        else:
            conflicts.append(Conflict(key=keys[r], reason=words, found=other))
    for r, (reason, name) in done.refused.items():
        if event == DELETE and REFERENCED in reason:
            conflicts.append(Conflict(key=keys[r], reason=f"other rows refer to it: {reason}", found=""))
            continue
        name = name or _culprit(opened, shape, staged, r)
        refused.append(Refused(key=keys[r], reason=reason, constraint=effects.named(name)))
    return conflicts, refused


def _culprit(opened: Session, shape: Shape, staged: Mapping[str, str], r: int) -> str | None:
    """The column that cannot hold what is staged for it in that row, by name; None if each can."""
    for name, stage_name in staged.items():
        column = shape.columns[name]
        value = sql.SQL("{}::{}").format(columns.staged(column, stage_name), sql.SQL(column.exact))
        try:
            with opened.savepoint():
                opened.fetch(sql.SQL("SELECT {} AS v FROM {} WHERE s.r = {}").format(value, FROM_STAGE, r))
        except adbc.Error as error:
            if refusal(error) is None:
                raise
            return f"column {name}"
    return None


def key_matches(table: Table, shape: Shape, names: Sequence[str]) -> sql.Composable:
    """The condition that the table's row has the key of the staged row."""
    staged = dict(zip(table.columns, names, strict=True))
    return every(
        [
            sql.SQL("{} = {}").format(shape.columns[key].sql, columns.staged(shape.columns[key], staged[key]))
            for key in table.key
        ]
    )


def keys_of(table: Table, rows: pa.Table) -> list[str]:
    """The text of each row's key."""
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.register("rows", rows.select(list(table.key)))
        return [text for (text,) in connection.execute(f"SELECT {key_text(table.key)} FROM rows").fetchall()]


def referred_to(reference: Reference) -> sql.Composable:
    """The condition that a row of another table refers to the table's row by that foreign key."""
    schema, _, name = reference.table.partition(".")
    pairs = zip(reference.columns, reference.refers_to, strict=True)
    same = [sql.SQL("c.{} = t.{}").format(sql.Identifier(one), sql.Identifier(other)) for one, other in pairs]
    return sql.SQL("EXISTS (SELECT FROM {} c WHERE {})").format(sql.Identifier(schema, name), every(same))


def name_of(shape: Shape) -> sql.Composable:
    """The table, by schema and name."""
    return sql.Identifier(shape.schema, shape.name)


def listed(parts: Sequence[sql.Composable]) -> sql.Composable:
    """The parts, with commas between them."""
    return sql.SQL(", ").join(parts)


def every(conditions: Sequence[sql.Composable]) -> sql.Composable:
    """All of the conditions."""
    return sql.SQL(" AND ").join(conditions)
