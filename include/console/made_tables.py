"""Whether a script makes the table that a target declares, as far as that can be read from its text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import NamedTuple

from ..trueup.declare import Target
from ..trueup.declare.names import one_of
from ..trueup.stores.postgres.catalog import schema_and_name
from ..trueup.stores.postgres.columns import CREATED, Column, misfit

_TOKEN = re.compile(
    r"(?P<skip>\s+|--[^\n]*|/\*.*?\*/)"
    r"|(?P<text>[eE]'(?:[^'\\]|\\.|'')*'|'(?:[^']|'')*'|\$(?P<tag>\w*)\$.*?\$(?P=tag)\$)"
    r'|(?P<quoted>"(?:[^"]|"")*")'
    r"|(?P<word>[^\W\d][\w$]*)"
    r"|(?P<other>\d[\w.]*|.)",
    re.DOTALL,
)
_AFTER_TYPE = frozenset({
    "not", "null", "primary", "unique", "check", "references", "default", "generated",
    "collate", "constraint", "storage", "compression", "deferrable", "initially",
})  # fmt: skip
_BASE = {
    name: base
    for base, names in {
        "text": "text", "varchar": "varchar,character varying", "bpchar": "char,character,bpchar", "int2": "int2,smallint,smallserial",
        "int4": "int4,int,integer,serial", "int8": "int8,bigint,bigserial", "numeric": "numeric,decimal,dec", "float4": "float4,real",
        "float8": "float8,float,double precision", "bool": "bool,boolean", "timestamp": "timestamp,timestamp without time zone",
        "timestamptz": "timestamptz,timestamp with time zone", "date": "date", "time": "time,time without time zone",
        "timetz": "timetz,time with time zone", "interval": "interval", "uuid": "uuid", "json": "json", "jsonb": "jsonb",
        "bytea": "bytea", "xml": "xml", "inet": "inet", "cidr": "cidr", "macaddr": "macaddr", "money": "money", "oid": "oid",
        "tsvector": "tsvector", "tsquery": "tsquery", "bit": "bit", "varbit": "bit varying,varbit", "point": "point",
        "int4range": "int4range", "int8range": "int8range", "numrange": "numrange", "daterange": "daterange",
        "int4multirange": "int4multirange", "int8multirange": "int8multirange", "nummultirange": "nummultirange",
        "datemultirange": "datemultirange", "tsmultirange": "tsmultirange", "tstzmultirange": "tstzmultirange",
        "tsrange": "tsrange", "tstzrange": "tstzrange", "citext": "citext", "vector": "vector", "hstore": "hstore", "ltree": "ltree",
        "macaddr8": "macaddr8", "jsonpath": "jsonpath", "geometry": "geometry", "geography": "geography", "halfvec": "halfvec",
    }.items()
    for name in names.split(",")
}  # fmt: skip
"""The base type that PostgreSQL has for what is written, of the types that are much used."""
_FILLS_ITSELF = ("serial", "bigserial", "smallserial")
_OTHER_SYSTEMS = {
    "datetime": "timestamp or timestamptz", "nvarchar": "varchar or text", "varchar2": "varchar or text", "string": "text",
    "number": "numeric", "double": "double precision", "tinyint": "smallint", "mediumint": "integer", "longtext": "text",
    "mediumtext": "text", "tinytext": "text", "clob": "text", "nclob": "text", "blob": "bytea", "binary": "bytea", "varbinary": "bytea",
    "uniqueidentifier": "uuid", "int64": "bigint", "float64": "double precision", "hugeint": "numeric", "ubigint": "numeric",
    "datetime2": "timestamp", "datetimeoffset": "timestamptz", "long": "bigint", "bytes": "bytea", "struct": "jsonb", "map": "jsonb",
}  # fmt: skip
"""Types that PostgreSQL has not and other databases have."""


class Token(NamedTuple):
    """A part of a script: `kind` is the name of the group above; a word in lower case, a quoted name without its quotes."""

    kind: str
    text: str
    line: int

    def __str__(self) -> str:
        return self.text


class _Made(NamedTuple):
    """A column as it is made."""

    line: int
    type: str
    array: bool
    not_null: bool
    filled: bool


@dataclass
class _Table:
    """A table as a script makes it; `whole`: all that makes it was understood."""

    line: int
    whole: bool = True
    key: tuple[str, ...] = ()
    columns: dict[str, _Made] = field(default_factory=dict)


def unlike(target: Target, script: str) -> Iterator[tuple[int | None, str]]:
    """What of the table that the script makes is not as the target declares it, each with its line; nothing where the text does
    not tell."""
    schema, name = schema_and_name(target.table)
    every = [*statements(script)]
    made = {place: table for place, table in map(_made, every) if place is not None}
    table = next((t for (in_schema, its), t in made.items() if its == name and in_schema in (None, schema)), None)
    if table is None:
        if not any(token.text.startswith("$") or token.text == "execute" for each in every for token in each):
            names = [its for _, its in made]
            yield None, f"makes no table {target.table.name!r}; {one_of(name, names) if names else 'it makes none'}"
        return
    own_types = {each[2].text for each in every if [t.text for t in each[:1]] == ["create"] and len(each) > 2}
    for each in every:
        _alter(each, name, table)
    yield from _unknown_types(table, own_types)
    if table.whole:
        yield from _differences(target, table)
        for column in target.sets:
            if column not in table.columns:
                others = one_of(column, table.columns)
                yield table.line, f"makes no column {column!r}, which the target says is set there; {others}"
    made_by = [[token.text for token in each] for each in every]
    for index in target.table.indexes:
        if not any(
            index.name in words or ({*words} & {"index", "unique"} and index.key[0] in words) for words in made_by
        ):
            columns = ", ".join(index.key)
            yield (
                table.line,
                f"makes no index on {columns}, which the target declares as {index.name!r}: CREATE INDEX {index.name} ON …",
            )


def _unknown_types(table: _Table, own: set[str]) -> Iterator[tuple[int, str]]:
    for name, column in table.columns.items():
        if column.type in _BASE or column.type in own:
            continue
        like = _OTHER_SYSTEMS.get(column.type) or next(iter(get_close_matches(column.type, _BASE, 1, 0.75)), None)
        if like is not None:
            yield (
                column.line,
                f"column {name!r} is of type {column.type}, which PostgreSQL has not; did you mean {like}?",
            )


def _differences(target: Target, table: _Table) -> Iterator[tuple[int, str]]:
    declared, known = target.table, {*target.table.columns, *target.sets, *target.adds}
    for name, type_ in declared.columns.items():
        column = table.columns.get(name)
        if column is None:
            if name not in target.adds:
                yield table.line, f"makes no column {name!r}, which the target declares; {one_of(name, table.columns)}"
        elif (base := _BASE.get(column.type)) is not None:
            base = f"_{base}" if column.array else base
            exact = column.type + "[]" * column.array
            words = misfit(type_, Column(name=name, type=base, cast=exact, exact=exact))
            if words is not None:
                yield column.line, f"{words}, or make it {CREATED[type_]} here"
    if table.key != declared.key:
        is_, should = (", ".join(key) or "none" for key in (table.key, declared.key))
        yield table.line, f"makes the primary key {is_}, but the target declares the key {should}"
    lacking = {*declared.columns} - {*table.columns}
    for name, column in table.columns.items() if not lacking else ():
        if name not in known and column.not_null and not column.filled:
            what = f"column {name!r} is NOT NULL without a default, and the target does not declare it, so nothing fills it"
            yield column.line, f"{what}: declare it, or give it a default; {one_of(name, known)}"


def statements(script: str) -> Iterator[list[Token]]:
    """The statements of a script, each as its parts; what stands in a text, a body of a function among them, is one part."""
    statement: list[Token] = []
    line = 1
    for match in _TOKEN.finditer(script.lstrip("\ufeff")):
        kind, text = match.lastgroup or "", match[0]
        if kind == "tag":
            kind = "text"
        if text == ";":
            yield statement
            statement = []
        elif kind == "word":
            statement.append(Token(kind, text.lower(), line))
        elif kind == "quoted":
            statement.append(Token(kind, text[1:-1].replace('""', '"'), line))
        elif kind != "skip":
            statement.append(Token(kind, text, line))
        line += text.count("\n")
    yield statement


def _made(statement: list[Token]) -> tuple[tuple[str | None, str] | None, _Table]:
    """The table that a statement makes, and where: schema and name; None for another statement, or a temporary one."""
    line = statement[0].line if statement else 0
    words = [token.text if token.kind == "word" else "" for token in statement]
    if words[:2] not in (["create", "table"], ["create", "unlogged"]) or "table" not in words[:3]:
        return None, _Table(line)
    at = words.index("table") + 1
    if words[at : at + 3] == ["if", "not", "exists"]:
        at += 3
    path, at = _path(statement, at)
    table = _Table(line)
    inside, at = bracket(statement, at)
    after = {token.text for token in statement[at:] if token.kind == "word"}
    table.whole = inside is not None and not after & {"inherits", "as"}
    for item in _items(inside or []):
        _take(item, table)
    return path, table


def _path(statement: list[Token], at: int) -> tuple[tuple[str | None, str], int]:
    """A name, with its schema if one is said, and where it ends."""
    first = statement[at].text
    if at + 2 < len(statement) and statement[at + 1].text == ".":
        return (first, statement[at + 2].text), at + 3
    return (None, first), at + 1


def bracket(statement: list[Token], at: int) -> tuple[list[Token] | None, int]:
    """What stands in the bracket that opens there, and where it ends; None where there is none."""
    if at >= len(statement) or statement[at].text != "(" or statement[at].kind != "other":
        return None, at
    depth = 0
    for end in range(at, len(statement)):
        sign = statement[end].text if statement[end].kind == "other" else ""
        depth += (sign == "(") - (sign == ")")
        if depth == 0:
            return statement[at + 1 : end], end + 1
    return None, at


def _items(tokens: list[Token]) -> Iterator[list[Token]]:
    item: list[Token] = []
    depth = 0
    for token in tokens:
        sign = token.text if token.kind == "other" else ""
        depth += (sign in "([" and sign != "") - (sign in ")]" and sign != "")
        if sign == "," and depth == 0:
            yield item
            item = []
        else:
            item.append(token)
    yield item


def _take(item: list[Token], table: _Table) -> None:
    """What an item of CREATE TABLE says: a column, a key, or a constraint that is of no matter here."""
    words = [token.text if token.kind == "word" else "" for token in item]
    if not item:
        return
    if words[0] == "like":
        table.whole = False
    elif words[0] in ("constraint", "primary", "unique", "check", "foreign") or (
        words[0] == "exclude" and len(item) > 1 and item[1].text in ("using", "(")
    ):
        _take_key(item, table)
    else:
        table.columns[item[0].text] = _column(item, words)
        if "primary" in words[1:]:
            table.key = (item[0].text,)


def _take_key(item: list[Token], table: _Table) -> None:
    words = [token.text if token.kind == "word" else "" for token in item]
    if "primary" in words[:3]:
        inside, _ = bracket(item, words.index("primary") + 2)
        if inside is None:  # by an index
            table.whole = False
        table.key = tuple(token.text for token in inside or () if token.kind in ("word", "quoted"))


def _column(item: list[Token], words: list[str]) -> _Made:
    type_: list[str] = []
    array, depth, at = False, 0, 1
    while at < len(item) and (depth or words[at] not in _AFTER_TYPE):
        token = item[at]
        depth += (token.text in ("(", "[")) - (token.text in (")", "]"))
        array = array or token.text == "[" or words[at] == "array"
        if depth == 0 and token.kind in ("word", "quoted") and words[at] != "array":
            type_.append(token.text)
        if token.text == "." and token.kind == "other":  # a schema's: only the type's own name is of matter
            type_.clear()
        at += 1
    rest = words[at:]
    nullable = any(rest[n : n + 2] == ["not", "null"] for n in range(len(rest))) or "primary" in rest
    filled = bool({"default", "generated"} & {*rest}) or type_[:1] in [[each] for each in _FILLS_ITSELF]
    return _Made(item[0].line, " ".join(type_), array, nullable, filled)


def _alter(statement: list[Token], name: str, table: _Table) -> None:
    """What ALTER TABLE makes of the table: a key is understood, and whatever else changes columns is not."""
    words = [token.text if token.kind == "word" else "" for token in statement]
    if words[:2] != ["alter", "table"] or name not in [token.text for token in statement[2:8]]:
        return
    if "primary" in words and words.count("add") == 1:
        _take_key(statement[words.index("add") + 1 :], table)
    elif {"column", "rename", "drop", "add", "alter"} & {*words} and not {"owner", "enable", "force"} & {*words}:
        table.whole = False
