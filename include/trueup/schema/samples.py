"""Sample rows: a row in every table of a rehearsal's clone, so that going down has something to lose.

Values come from the columns' types; foreign keys point to rows that are there; a check like `x IN ('a', 'b')` gives 'a'.
"""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa

from .describe import qualified, quoted

ROWS = 2
"""Rows tried for each table."""
_VALUES = {
    **dict.fromkeys(("text", "varchar", "bpchar"), "md5(random()::text)"),
    "uuid": "gen_random_uuid()",
    "int2": "(random() * 30000)::int2",
    "int4": "(random() * 2000000000)::int4",
    "int8": "(random() * 9000000000000)::int8",
    "numeric": "round(random()::numeric, 2)",
    "float4": "random()::float4",
    "float8": "random()",
    "bool": "true",
    "timestamptz": "clock_timestamp()",
    "timestamp": "localtimestamp",
    "date": "current_date",
    "time": "localtime",
    "interval": "interval '1 day'",
    "json": """'{"sample": true}'::json""",
    "jsonb": """'{"sample": true}'::jsonb""",
    "bytea": "decode(md5(random()::text), 'hex')",
    "inet": "'127.0.0.1'::inet",
}
_COLUMNS = sa.text(
    r"""
    SELECT a.attname, a.attnotnull, a.atthasdef OR a.attidentity <> '' OR a.attgenerated <> '' AS filled,
        t.typname, t.typtype, t.typcategory,
        a.atttypmod, format_type(a.atttypid, a.atttypmod) AS type,
        (SELECT quote_literal(e.enumlabel) FROM pg_enum e WHERE e.enumtypid = t.oid ORDER BY e.enumsortorder LIMIT 1) AS label,
        (SELECT substring(pg_get_constraintdef(c.oid) FROM 'ARRAY\[\(?(''[^'']*'')') FROM pg_constraint c
            WHERE c.conrelid = a.attrelid AND c.contype = 'c' AND c.conkey = ARRAY[a.attnum] LIMIT 1) AS allowed,
        (SELECT ARRAY[c.confrelid\:\:regclass\:\:text, fa.attname\:\:text] FROM pg_constraint c
            JOIN pg_attribute fa ON fa.attrelid = c.confrelid AND fa.attnum = c.confkey[array_position(c.conkey, a.attnum)]
            WHERE c.conrelid = a.attrelid AND c.contype = 'f' AND a.attnum = ANY (c.conkey)
            ORDER BY array_length(c.conkey, 1) DESC LIMIT 1) AS parent
    FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
    WHERE a.attrelid = CAST(:name AS regclass) AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum
    """
)


@dataclass(frozen=True, kw_only=True)
class Sampled:
    """`made`: sample rows by table. `without`: tables that hold no row, and why none could be made."""

    made: dict[str, int]
    without: dict[str, str]


def fill(connection: sa.Connection, tables: list[str]) -> Sampled:
    """Add sample rows to these tables, parents first, in one transaction."""
    made: dict[str, int] = {}
    refused: dict[str, str] = {}
    for table in _parents_first(connection, tables):
        for _ in range(ROWS):
            error = _insert(connection, table)
            if error is None:
                made[table] = made.get(table, 0) + 1
            elif table not in made:
                refused[table] = error
    empty = {
        t for t in refused if not connection.exec_driver_sql(f"SELECT EXISTS (SELECT FROM {qualified(t)})").scalar_one()
    }
    connection.commit()
    return Sampled(made=made, without={t: refused[t] for t in sorted(empty)})


def _insert(connection: sa.Connection, table: str) -> str | None:
    """One row: with every column that has no default, else with those alone that must be given; the error if none goes in."""
    problem: str | None = None
    described = connection.execute(_COLUMNS, {"name": qualified(table)}).mappings().all()
    for all_of_them in (True, False):
        given = {c["attname"]: _value(c) for c in described if not c["filled"] and (all_of_them or c["attnotnull"])}
        names, values = ", ".join(quoted(n) for n in given), ", ".join(given.values())
        what = f"({names}) VALUES ({values})" if given else "DEFAULT VALUES"
        savepoint = connection.begin_nested()
        try:
            connection.exec_driver_sql(f"INSERT INTO {qualified(table)} {what}".replace("%", "%%"))
            savepoint.commit()
            return None
        except sa.exc.DBAPIError as error:
            savepoint.rollback()
            problem = str(error.orig).splitlines()[0]
    return problem


def _value(column: sa.RowMapping) -> str:
    kind, type_ = str(column["typname"]), str(column["type"])
    if column["parent"]:
        parent, name = column["parent"]
        return f"(SELECT {quoted(name)} FROM {parent} ORDER BY 1 LIMIT 1)"
    if column["allowed"] or column["label"]:
        return f"{column['allowed'] or column['label']}::{type_}"
    if column["typcategory"] == "A":
        return f"'{{}}'::{type_}"
    if kind == "vector":
        return f"array_fill(0.5, ARRAY[{column['atttypmod']}])::{type_}"
    return f"({_VALUES[kind]})::{type_}" if kind in _VALUES else "NULL"


def _parents_first(connection: sa.Connection, tables: list[str]) -> list[str]:
    query = "SELECT conrelid::regclass::text, confrelid::regclass::text FROM pg_constraint WHERE contype = 'f' AND conrelid <> confrelid"
    parents: dict[str, set[str]] = {}
    for child, parent in connection.exec_driver_sql(query):
        parents.setdefault(str(child).replace('"', ""), set()).add(str(parent).replace('"', ""))
    order: list[str] = []

    def place(table: str, above: tuple[str, ...]) -> None:
        if table in order or table in above:  # a ring of keys has no first
            return
        for parent in sorted(parents.get(table, ())):
            place(parent, (*above, table))
        order.append(table)

    for table in tables:
        place(table, ())
    return [t for t in order if t in tables]
