"""Values for the test that `make new` writes: each column's own, and one that the new table's column, and its rules, take, too."""

from __future__ import annotations

import ast
import itertools
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import duckdb

from ..trueup.stores import Catalogue, Known
from ..trueup.stores.catalogue import Rule

_ROWS = (1, 2, 3)

_SAMPLES = {
    "text": '"{n}"', "number": '"{n}"', "integer": "{n}", "float": "{n}.5", "boolean": "True",
    "timestamp": '"2025-01-0{n}T00:00:00+00:00"', "datetime": '"2025-01-0{n}T00:00:00"', "date": '"2025-01-0{n}"',
    "json": '"{{}}"', "binary": 'b"{n}"',
}  # fmt: skip
_WHOLE = {"float": "{n}.0"}


def sample(column: Known, new: Catalogue) -> str:
    """A value of the column, as Python says it, with `{n}` for a number, that the new table's column of its name takes, too."""
    given = str(column.type)
    into = next((str(c.type) for c in new.columns if c.name == column.name and c.type is not None), given)
    exact = next((c for c in new.columns if c.name == column.name), column)
    if given == into == "text":
        return _text_sample(exact)
    if given == "text" and into not in ("text", "binary"):
        text = "true" if into == "boolean" else _SAMPLES[into].strip('"')
        return f'"{text}"'
    return _WHOLE[given] if into == "integer" and given in _WHOLE else _SAMPLES[given]


_OF_TEXT = {
    "uuid": "00000000-0000-4000-8000-00000000000{n}", "inet": "10.0.0.{n}/32", "cidr": "10.0.0.{n}/32", "time": "0{n}:00:00",
    "interval": "0{n}:00:00", "bit": "1", "xml": "<a/>", "point": "({n},0)", "line": "{{{n},1,0}}", "circle": "<(0,0),{n}>",
    "box": "({n},1),(0,0)", "lseg": "[(0,0),({n},1)]", "path": "((0,0),({n},1))", "polygon": "((0,0),({n},1))", "jsonpath": "$",
    "macaddr": "08:00:2b:01:02:0{n}", "macaddr8": "08:00:2b:01:02:03:04:0{n}", "pg_lsn": "0/{n}", "tid": "(0,{n})",
    "int4range": "[{n},9)", "int8range": "[{n},9)", "numrange": "[{n},9)", "daterange": "[2025-01-0{n},2025-02-01)",
    "tsrange": "empty", "tstzrange": "empty", "txid_snapshot": "1{n}:20:", "pg_snapshot": "1{n}:20:",
}  # fmt: skip
"""Texts that PostgreSQL takes for a type, as it writes them."""
_LABEL = re.compile(r"ENUM \('((?:[^']|'')*)'")


def _text_sample(column: Known) -> str:
    """A text that the column's own type takes."""
    name = re.sub(r"[( ].*", "", column.exact)
    if column.exact.startswith("timestamp"):
        text = "2025-01-0{n} 00:00:00" + ("+00" if "with time zone" in column.exact else "")
    elif column.exact.startswith("time") and "with time zone" in column.exact:
        text = "0{n}:00:00+00"
    elif column.exact.startswith("bit") and "varying" not in column.exact:
        text = "1" * int((re.search(r"[0-9]+", column.exact) or ["1"])[0])
    elif column.exact.endswith("[]") or column.exact.endswith("multirange"):
        text = "{{}}"
    elif (label := _LABEL.search(column.made_by or "")) is not None:
        text = label[1].replace("''", "'").replace("{", "{{").replace("}", "}}")
    elif name == "vector":
        text = "[" + ",".join("1" * int((re.search(r"[0-9]+", column.exact) or ["1"])[0])) + "]"
    else:
        text = _OF_TEXT.get(name, "{n}")
    return json.dumps(text, ensure_ascii=False)


def sample_rows(legacy: Catalogue, new: Catalogue) -> list[dict[str, str]]:
    """Three rows, of the columns that must be there in one of the tables, each value as Python says it. A value that a CHECK of
    the new table would refuse gives way to one that stands in it, where there is one."""
    never_null = {c.name for c in new.columns if c.not_null}
    needed = [c for c in legacy.columns if c.type and (c.not_null or c.name in legacy.key or c.name in never_null)]
    rows = [{c.name: sample(c, new).format(n=n) for c in needed} for n in _ROWS]
    for rule in new.likeness.rules:
        named = [c for c in needed if c.name in rule.columns]
        if rule.says.startswith("CHECK") and len(named) == 1 and not is_kept(rule, new, rows):
            (column,) = named
            keeping = [v for v in _in_it(rule, str(column.type)) if is_kept(rule, new, [{column.name: v}])]
            for row, value in zip(rows, itertools.cycle(keeping), strict=False):
                row[column.name] = value
    return rows


def is_kept(rule: Rule, new: Catalogue, rows: Sequence[Mapping[str, str]]) -> bool:
    """Whether these rows are known to keep a rule of the table, other columns being null."""
    if not rule.says.startswith("CHECK"):
        several = [repr([row[name] for name in rule.columns]) for row in rows if {*rule.columns} <= {*row}]
        return "UNIQUE" not in rule.says or len({*several}) == len(several)
    condition = re.sub(r"::bpchar", "::varchar", re.sub(r"^CHECK | NO INHERIT$", "", rule.says))
    if "!~" in condition:  # to DuckDB a pattern is one of the whole text
        return False
    types = {c.name: _OF_DUCKDB.get(str(c.type), "VARCHAR") for c in new.columns if c.name in rule.columns}
    values = ", ".join(f"CAST(? AS {type_}) AS {json.dumps(name)}" for name, type_ in types.items())
    with duckdb.connect() as connection:
        for row in rows:
            given: list[Any] = [ast.literal_eval(row[name]) if name in row else None for name in types]
            try:
                ((kept,),) = connection.execute(f"SELECT {condition} FROM (SELECT {values})", given).fetchall()
            except duckdb.Error:
                return False
            if kept is False:
                return False
    return True


_OF_DUCKDB = {
    "integer": "BIGINT", "number": "DOUBLE", "float": "DOUBLE", "boolean": "BOOLEAN", "date": "DATE", "datetime": "TIMESTAMP",
    "timestamp": "TIMESTAMPTZ", "binary": "BLOB",
}  # fmt: skip


def _in_it(rule: Rule, type_: str) -> Iterator[str]:
    """The values that stand in a CHECK, and those beside them."""
    for text in re.findall(r"'((?:[^']|'')*)'", rule.says):
        if type_ in ("text", "date", "timestamp", "datetime"):
            yield json.dumps(text.replace("''", "'"), ensure_ascii=False)
    for number in dict.fromkeys(re.findall(r"[0-9]+", rule.says)):
        for near in (int(number) + 1, int(number), int(number) - 1):
            if type_ in ("integer", "number", "float"):
                yield f'"{near}"' if type_ == "number" else str(near) if type_ == "integer" else f"{near}.0"
