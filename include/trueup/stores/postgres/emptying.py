"""Rows of other tables that would lose what they refer to, were a row of this one changed: a foreign key may be to any unique
columns, and ON UPDATE SET NULL or SET DEFAULT empties what refers to their value before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from psycopg import sql

from .. import Reference
from .catalog import Shape
from .effects import Effects
from .looking import every, name_of, referred_to
from .session import Session
from .staging import FROM_STAGE

Losing = tuple[Reference, sql.Composable]
"""A foreign key, and the condition that the change of the staged row `s` takes from rows what they refer to in `t` by it."""


def losing(effects: Effects, differs: Mapping[str, sql.Composable], cascade_to: Sequence[str]) -> list[Losing]:
    """The foreign keys by which that may happen, but for those named in `cascade_to`; `differs`: the columns that are changed,
    each with whether it is in the staged row."""
    # where triggers do not fire (`session_replication_role`), nothing follows, and the server does not look
    wanted = [
        one
        for one in effects.references
        if (not one.own if effects.replica else one.empties and one.name not in cascade_to)
        and differs.keys() & {*one.refers_to}
    ]
    return [
        (
            one,
            every(
                [
                    sql.SQL("({})").format(sql.SQL(" OR ").join(differs[n] for n in one.refers_to if n in differs)),
                    referred_to(one),
                ]
            ),
        )
        for one in wanted
    ]


def lock(opened: Session, shape: Shape, key: sql.Composable) -> None:
    """Keep the rows with staged keys, so that nobody can begin to refer to them until the transaction ends."""
    query = sql.SQL("SELECT FROM {} AS t JOIN {} ON {} FOR UPDATE OF t")
    opened.fetch(query.format(name_of(shape), FROM_STAGE, key))


def emptied(
    opened: Session,
    shape: Shape,
    key: sql.Composable,
    losing: Sequence[Losing],
    part: sql.Composable,
) -> dict[int, tuple[str, str | None]]:
    """The staged rows of the part whose change would do so: why they are refused, and by which foreign key."""
    number = sql.SQL(" ").join(sql.SQL("WHEN {} THEN {}").format(one, n) for n, (_, one) in enumerate(losing))
    query = sql.SQL(
        "SELECT r, n FROM (SELECT s.r, CASE {} END AS n FROM {} JOIN {} AS t ON {} WHERE {}) x WHERE n >= 0"
    )
    such_rows = opened.fetch(query.format(number, FROM_STAGE, name_of(shape), key, part))
    return {row["r"]: (_words(losing[row["n"]][0]), losing[row["n"]][0].name) for row in such_rows.to_pylist()}


def _words(one: Reference) -> str:
    columns = ", ".join(one.columns)
    if not one.empties:
        return f"rows of {one.table} refer to what it was ({columns}), and would be left without it"
    return (
        f"rows of {one.table} refer to what it was, and ON UPDATE {one.empties} would empty their {columns}: make that CASCADE, or, if"
        f" they are to lose it, name {one.name} in cascade_to"
    )
