"""Sequences that give a column its values: after rows with values of their own were written, they are behind."""

from __future__ import annotations

from psycopg import sql

from ...declare.migration import Table
from .. import Advanced
from . import catalog
from .effects import Sequence, effects_of
from .session import Address, Session, session

_TAKEN = 1_000
"""So many values are taken one after the other, which applications may do beside it; the sequence never goes backwards."""
_TAKE = "SELECT count(nextval({literal}::regclass)) FROM generate_series(1, {takes})"
# no application takes as many in the midst of a statement
_SET = {
    True: "SELECT setval({literal}::regclass, greatest({far}, last_value)) FROM {sequence}",
    False: "SELECT setval({literal}::regclass, least({far}, last_value)) FROM {sequence}",
}


def advance(address: Address, table: Table) -> list[Advanced]:
    """Bring the sequences of the declared columns behind the greatest value there; never backwards."""
    with session(address, doing=f"advance the sequences of table {table.name}") as opened:
        shape = catalog.require(opened, table)
        declared = (one for one in effects_of(opened, shape.oid).sequences if one.column in table.columns)
        return [_advance(opened, table, sql.Identifier(shape.schema, shape.name), one) for one in declared]


def _advance(opened: Session, table: Table, name: sql.Identifier, sequence: Sequence) -> Advanced:
    parts = {"column": sql.Identifier(sequence.column), "table": name, "sequence": sql.SQL(sequence.name)}
    # a sequence that goes down stays behind the least value
    state = (
        "SELECT q.last_value AS last, q.is_called AS called, p.seqincrement AS by,"
        " CASE WHEN p.seqincrement > 0 THEN max(t.{column}) ELSE min(t.{column}) END::int8 AS far"
        " FROM {sequence} q JOIN pg_catalog.pg_sequence p ON p.seqrelid = {literal}::regclass LEFT JOIN {table} t ON true"
        " GROUP BY 1, 2, 3, p.seqincrement"
    )
    query = sql.SQL(state).format(**parts, literal=sql.Literal(sequence.name))
    (before,) = opened.fetch(query).to_pylist()
    if _is_behind(before):
        takes = -(-abs(before["far"] - before["last"]) // abs(before["by"])) + (not before["called"])
        statement = _TAKE if takes <= _TAKEN else _SET[before["by"] > 0]
        opened.fetch(
            sql.SQL(statement).format(**parts, literal=sql.Literal(sequence.name), far=before["far"], takes=takes)
        )
    (after,) = opened.fetch(query).to_pylist()
    return Advanced(
        table=table.name,
        column=sequence.column,
        sequence=sequence.name,
        before=before["last"],
        after=after["last"],
        holds=not _is_behind(after),
    )


def _is_behind(state: dict[str, int | bool | None]) -> bool:
    """Whether the next value would be one that is there, or is before one."""
    last, far = state["last"], state["far"]
    if far is None or last is None:
        return False
    ahead = far > last if (state["by"] or 1) > 0 else far < last
    return ahead or (far == last and not state["called"])
