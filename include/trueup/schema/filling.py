"""What tables do by themselves while a backup is put back into them: their parts, their triggers and their sequences."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager

import sqlalchemy as sa

from .describe import quoted

_PARTS = sa.text(
    "SELECT c.oid FROM pg_class c WHERE c.oid = ANY (:oids) AND c.relispartition"
    " AND EXISTS (SELECT FROM pg_partition_ancestors(c.oid) a WHERE a.relid <> c.oid AND a.relid = ANY (:oids))"
)
# of partitions, too, each with its own
_TRIGGERS = sa.text(
    "SELECT DISTINCT CAST(CAST(t.tgrelid AS regclass) AS text) AS name, CAST(t.tgname AS text) AS trigger,"
    " CAST(t.tgenabled AS text) AS state FROM unnest(CAST(:oids AS oid[])) of(oid)"
    " CROSS JOIN LATERAL (SELECT of.oid UNION SELECT relid FROM pg_partition_tree(CAST(of.oid AS regclass))) part(oid)"
    " JOIN pg_trigger t ON t.tgrelid = part.oid WHERE NOT t.tgisinternal AND t.tgenabled <> 'D' ORDER BY 1, 2"
)
_ENABLE = {"O": "ENABLE", "A": "ENABLE ALWAYS", "R": "ENABLE REPLICA"}
_SEQUENCES = sa.text(
    "SELECT a.attname AS column, s.name AS sequence, p.seqincrement > 0 AS up"
    " FROM pg_attribute a, pg_get_serial_sequence(:name, a.attname) s(name), pg_sequence p"
    " WHERE a.attrelid = CAST(:oid AS oid) AND a.attnum > 0 AND NOT a.attisdropped AND p.seqrelid = CAST(s.name AS regclass)"
)


def whole(connection: sa.Connection, tables: Mapping[str, int]) -> list[str]:
    """Those of the tables (names, with their oids) that are no part of another of them, whose rows come with that one."""
    parts = {*connection.execute(_PARTS, {"oids": [*tables.values()]}).scalars()}
    return [name for name, oid in tables.items() if oid not in parts]


@contextmanager
def untriggered(connection: sa.Connection, oids: Collection[int]) -> Iterator[None]:
    """In the block, in the connection's transaction, no trigger of these tables makes the rows otherwise, or writes others."""
    triggers = connection.execute(_TRIGGERS, {"oids": [*oids]}).all()
    for each in triggers:
        _alter(connection, each.name, "DISABLE", each.trigger)
    yield
    if triggers:  # no table is altered while a deferred check of its rows is still to come
        connection.exec_driver_sql("SET CONSTRAINTS ALL IMMEDIATE")
    for each in triggers:
        _alter(connection, each.name, _ENABLE[each.state], each.trigger)


def _alter(connection: sa.Connection, table: str, how: str, trigger: str) -> None:
    connection.exec_driver_sql(f"ALTER TABLE ONLY {table} {how} TRIGGER {quoted(trigger)}".replace("%", "%%"))


def advance(connection: sa.Connection, table: str, oid: int) -> None:
    """Bring the table's sequences behind what it holds; never backwards."""
    for column, sequence, up in connection.execute(_SEQUENCES, {"oid": oid, "name": table}).all():
        far, farther = ("max", "greatest") if up else ("min", "least")
        last = f"SELECT {far}({quoted(column)})::bigint FROM {table}".replace("%", "%%")
        if (most := connection.exec_driver_sql(last).scalar()) is not None:
            query = f"SELECT setval(%s::regclass, {farther}(%s, last_value)) FROM {sequence.replace('%', '%%')}"
            connection.exec_driver_sql(query, (sequence, most))
