"""SQL for one column: how it is read in canonical form, how a planned value is put into it, how the two are compared.

In all of it `t` is the table and `s` the staging table. A staging table holds canonical form (text for numbers and
JSON), so that PostgreSQL alone decides what the text means in the column's own type, and a value that does not fit is
an error and not a rounding.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from psycopg import sql

from ...declare.migration import Table, Type

STAGED: dict[Type, str] = {
    Type.TEXT: "text",
    Type.NUMBER: "text",
    Type.INTEGER: "int8",
    Type.FLOAT: "float8",
    Type.BOOLEAN: "bool",
    Type.TIMESTAMP: "timestamptz",
    Type.DATETIME: "timestamp",
    Type.DATE: "date",
    Type.JSON: "text",
    Type.BINARY: "bytea",
}
"""The type of a staging table's column."""
CREATED: dict[Type, str] = {
    Type.TEXT: "text",
    Type.NUMBER: "numeric",
    Type.INTEGER: "bigint",
    Type.FLOAT: "double precision",
    Type.BOOLEAN: "boolean",
    Type.TIMESTAMP: "timestamptz",
    Type.DATETIME: "timestamp",
    Type.DATE: "date",
    Type.JSON: "jsonb",
    Type.BINARY: "bytea",
}
"""The type of a column in a table that is made from its declaration."""
_INTEGERS = frozenset({"int2", "int4", "int8"})
_HOLDS: dict[Type, frozenset[str]] = {
    Type.NUMBER: _INTEGERS | {"numeric"},
    Type.INTEGER: _INTEGERS,
    Type.FLOAT: frozenset({"float4", "float8"}),
    Type.BOOLEAN: frozenset({"bool"}),
    Type.TIMESTAMP: frozenset({"timestamptz"}),
    Type.DATETIME: frozenset({"timestamp"}),
    Type.DATE: frozenset({"date"}),
    Type.JSON: frozenset({"jsonb", "json"}),
    Type.BINARY: frozenset({"bytea"}),
}
_NAMES_OF_OIDS = ("class", "collation", "config", "dictionary", "namespace", "oper", "operator", "proc", "procedure")
_ONE_OF_ONE_DATABASE = frozenset({"money", "oid", "regrole", "regtype", *(f"reg{n}" for n in _NAMES_OF_OIDS)})
# Their text depends on one database or its locale: another database reads another value from it.
_OF_ONE_DATABASE = _ONE_OF_ONE_DATABASE | {f"_{name}" for name in _ONE_OF_ONE_DATABASE} | {"oidvector"}
# Of these a value may have no place in its own type (NaN, infinity), or lose its notation there: text carries that, too.
_TEXT_TOO = frozenset({"numeric", "timestamptz", "timestamp", "date", "json", "jsonb"})
# Whatever is none of these is text: varchar, uuid, enums, dates, vectors, …, as PostgreSQL writes and reads it.
_NO_TEXT = frozenset().union(*_HOLDS.values()) - _TEXT_TOO | _OF_ONE_DATABASE
# Values that compare as equal and are written differently: of a column that is declared as text, the text decides.
_MANY_TEXTS = frozenset({"numeric", "json", "jsonb"})
# What compares by value. Of floats that would take -0 for 0.
_TYPED = frozenset({"uuid", "jsonb", "numeric", "bool", "timestamptz", "timestamp", "date", "bytea"}) | _INTEGERS
# Past 64 bits since 1970, as DuckDB and Arrow count
_NO_MICROSECONDS = sql.SQL("({0} = '-infinity' OR {0} >= '294247-01-01 00:00:00+00')")
_INFINITE = sql.SQL("({0} IN ('infinity', '-infinity'))")
# What becomes zero or infinity is an error of the cast, and not another value.
_NO_FLOAT4 = sql.SQL(
    "CASE WHEN {0} <> 0 AND abs({0}) <= 7.006492321624085e-46::float8 THEN true"
    " WHEN abs({0}) >= 3.4028235677973366e+38::float8 AND abs({0}) < 'Infinity' THEN true"
    " ELSE {0} IS DISTINCT FROM {0}::float4::float8 END"
)


@dataclass(frozen=True, kw_only=True)
class Column:
    """A column as PostgreSQL has it: `type` is the name of its built-in base type ('' for an enum or another type that
    was made), `cast` that type as SQL, quoted by PostgreSQL, `exact` the same with its length or precision. `sets` says
    how the table fills it where nothing is given: generated, identity, default, or not at all (''). `refuses_null`: its domain is
    NOT NULL; PostgreSQL keeps that of what is written, but not that none is there."""

    name: str
    not_null: bool = False
    refuses_null: bool = False
    sets: str = ""
    type: str
    cast: str
    exact: str

    @property
    def sql(self) -> sql.Composable:
        """The column of the table `t`."""
        return sql.Identifier("t", self.name)


def fits(type_: Type, column: Column) -> bool:
    """Whether the column can hold exactly the values of the declared type. A float cannot hold a number exactly."""
    if type_ is Type.TEXT:
        return column.type not in _NO_TEXT
    return column.type in _HOLDS[type_]


def misfit(type_: Type, column: Column) -> str | None:
    """In words, why the column cannot be what is declared, and what to do; None if it fits."""
    if fits(type_, column):
        return None
    if column.type in _OF_ONE_DATABASE:
        return (
            f"column {column.name!r} is {column.exact}, whose text only has a meaning in one database, so "
            "Trueup cannot carry it: give the column another type "
            f"({'numeric' if column.type == 'money' else 'text, or bigint'}), or declare a view that casts it"
        )
    right = right_type(column) or Type.TEXT
    return f"column {column.name!r} is {column.exact}, but is declared Type.{type_.name}: declare Type.{right.name}"


def right_type(column: Column) -> Type | None:
    """The logical type that carries the column's values; None if none does."""
    if column.type in _OF_ONE_DATABASE:
        return None
    return next((one for one in (Type.INTEGER, *_HOLDS) if column.type in _HOLDS[one]), Type.TEXT)


def odd(type_: Type, column: Column) -> sql.Composable | None:
    """The condition that the column's value has no canonical form in the declared type; None if every value has one."""
    if not fits(type_, column):
        return sql.SQL("{} IS NOT NULL").format(column.sql)
    if type_ is Type.TEXT:
        return None
    if column.type == "numeric":  # NaN and the infinities are what has no scale
        return sql.SQL("({0} IS NOT NULL AND scale({0}) IS NULL)").format(column.sql)
    if type_ in (Type.TIMESTAMP, Type.DATETIME):
        return _NO_MICROSECONDS.format(column.sql)
    if type_ is Type.DATE:
        return _INFINITE.format(column.sql)
    return None


def value(type_: Type, column: Column) -> sql.Composable:
    """The column's value for reading. JSON is PostgreSQL's own notation; `rows/json_column.py` brings it into ours."""
    if not fits(type_, column):
        return sql.SQL("NULL::{}").format(sql.SQL(STAGED[type_]))
    if type_ is Type.TEXT:
        return _text(column, column.sql)
    if column.type == "numeric":
        return sql.SQL("CASE WHEN scale({0}) IS NOT NULL THEN trim_scale({0})::text END").format(column.sql)
    if type_ in (Type.TIMESTAMP, Type.DATETIME, Type.DATE) and (condition := odd(type_, column)) is not None:
        return sql.SQL("CASE WHEN NOT {} THEN {} END").format(condition, column.sql)
    return sql.SQL("{}::{}").format(column.sql, sql.SQL(STAGED[type_]))


def _text(column: Column, one: sql.Composable) -> sql.Composable:
    """A value of the column's type as PostgreSQL writes it. Of a `char` without a length, blanks at the end are part of the
    value, and a cast to text cuts them off."""
    return sql.SQL("textin(bpcharout({}))" if column.exact == "bpchar" else "{}::text").format(one)


def absent(type_: Type) -> sql.Composable:
    """What a column that is to be added reads as until it exists."""
    return sql.SQL("NULL::{}").format(sql.SQL(STAGED[type_]))


def staged(column: Column, name: str) -> sql.Composable:
    """The staging table's column of that name, as a value of the table's column."""
    return sql.SQL("{}::{}").format(sql.Identifier("s", name), sql.SQL(column.cast))


def altered(type_: Type, column: Column, name: str) -> sql.Composable | None:
    """The condition that the column would hold another value than the staging table's column of that name: PostgreSQL
    rounds to a numeric's scale or a real's bits, cuts blanks off, and writes uuids and dates in its own notation. None if it cannot."""
    given, exact = sql.Identifier("s", name), sql.SQL(column.exact)
    if type_ is Type.TEXT and column.exact != "text":
        held = _text(column, sql.SQL("{}::{}").format(given, exact))
        return sql.SQL("{} IS DISTINCT FROM {}").format(given, held)
    if type_ is Type.FLOAT and column.type == "float4":
        return _NO_FLOAT4.format(given)
    if column.exact != column.cast:
        return sql.SQL("{} IS DISTINCT FROM {}::{}").format(staged(column, name), staged(column, name), exact)
    return None


def differ(type_: Type, one: str, other: str) -> sql.Composable:
    """Whether two columns of the staging table, both of the type, differ. Floats by their text: -0 is not 0."""
    texts = sql.SQL(
        "s.{0}::text IS DISTINCT FROM s.{1}::text" if type_ is Type.FLOAT else "s.{0} IS DISTINCT FROM s.{1}"
    )
    return texts.format(sql.Identifier(one), sql.Identifier(other))


def same(type_: Type, column: Column, name: str) -> sql.Composable:
    """Whether the table's column holds the value of the staging table's column of that name. Numbers and jsonb compare
    by value; text by its bytes, whatever its collation takes for equal."""
    as_text = type_ is Type.TEXT and column.type in _MANY_TEXTS
    if column.type in _TYPED and not as_text:
        return sql.SQL("{} IS NOT DISTINCT FROM {}").format(column.sql, staged(column, name))
    if column.type == "json" and not as_text:
        return sql.SQL("{}::jsonb IS NOT DISTINCT FROM {}::jsonb").format(column.sql, sql.Identifier("s", name))
    ours, wanted = _text(column, column.sql), _text(column, staged(column, name))
    return sql.SQL('{} COLLATE "C" IS NOT DISTINCT FROM {}').format(ours, wanted)


def same_as_read(type_: Type, column: Column, name: str) -> sql.Composable:
    """The same for what was read: a value without canonical form was read as null (and is in `_mistyped`)."""
    condition = odd(type_, column)
    if condition is None:
        return same(type_, column, name)
    staged_null = sql.SQL("{} IS NULL").format(sql.Identifier("s", name))
    return sql.SQL("CASE WHEN {} THEN {} ELSE {} END").format(condition, staged_null, same(type_, column, name))


JSON, JSONB = sql.SQL("json"), sql.SQL("jsonb")
"""What an object of values is made as: `json` takes any value (half a surrogate pair, an exponent of nine digits), but
has many notations; `jsonb` can be compared."""


def extra(undeclared: Sequence[Column], kind: sql.SQL = JSONB) -> sql.Composable:
    """The values of undeclared columns as one object; null if none has a value."""
    return _object([(column.name, column.sql) for column in undeclared], kind)


def mistyped(table: Table, columns: dict[str, Column], kind: sql.SQL = JSONB) -> sql.Composable:
    """The values that have no canonical form in the declared type, as one object; null if there are none."""
    conditions = {name: odd(type_, columns[name]) for name, type_ in table.columns.items() if name in columns}
    checks = {name: condition for name, condition in conditions.items() if condition is not None}
    if not checks:
        return sql.SQL("NULL::{}").format(kind)
    values: list[tuple[str, sql.Composable]] = [
        (name, sql.SQL("CASE WHEN {} THEN {} END").format(condition, columns[name].sql))
        for name, condition in checks.items()
    ]
    return sql.SQL("CASE WHEN {} THEN {} END").format(sql.SQL(" OR ").join(checks.values()), _object(values, kind))


def _object(values: Sequence[tuple[str, sql.Composable]], kind: sql.SQL) -> sql.Composable:
    if not values:
        return sql.SQL("NULL::{}").format(kind)
    pairs = sql.SQL(", ").join(sql.SQL("({}, to_{}({}))").format(sql.Literal(name), kind, one) for name, one in values)
    return sql.SQL(
        "(SELECT {}_object_agg(v.name, v.value) FROM (VALUES {}) v(name, value) WHERE v.value IS NOT NULL)"
    ).format(kind, pairs)
