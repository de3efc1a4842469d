"""`make new ID=people FROM=crm_postgres:customers TO=people`: the files of a migration, written from the catalogues of its two
tables. What has no source column of its name is left to be filled, and no rename is guessed."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import groupby
from pathlib import Path

import duckdb

from ..trueup.declare.defaults import id_of, title_of
from ..trueup.declare.names import check_id
from ..trueup.errors import OptionsError
from ..trueup.stores import Catalogue, Known

TO_FILL = "fill_in"
"""What stands in `rows.sql` for a value that its author has to say: no column, so that `make check` names the line."""
_PLAIN = re.compile(r"[a-z_][a-z0-9_]*")


@dataclass(frozen=True, kw_only=True)
class Place:
    """A table behind a connection: `connection:table`."""

    connection: str
    table: str

    @classmethod
    def of(cls, text: str, otherwise: str = "") -> Place:
        """From `connection:table`, or from `table` alone, which is behind the connection `otherwise`. Raises `OptionsError`."""
        connection, colon, table = text.partition(":")
        if not colon:
            connection, table = otherwise, text
        if not connection or not table:
            raise OptionsError(f"{text!r} says no table: write connection:table, as in crm_postgres:customers")
        return cls(connection=connection, table=table)


@dataclass(frozen=True, kw_only=True)
class Written:
    """The files of a migration, by their paths in the project, and what is left to its author, in words."""

    files: dict[str, str]
    left: tuple[str, ...]


def write(root: Path, written: Written) -> None:
    """Write the files. Raises `OptionsError` where one is there already, and writes none."""
    if there := [path for path in written.files if (root / path).exists()]:
        raise OptionsError(
            f"{', '.join(there)}: there already, and nothing was written. Choose another ID, or remove them"
        )
    for path, text in written.files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text, encoding="utf-8")


def files(id: str, source: tuple[Place, Catalogue], target: tuple[Place, Catalogue | None]) -> Written:
    """The files of a migration from one table to another; where that is not there, it is to be made like the first.
    Raises `DeclarationError` for a bad id, `OptionsError` for a source without a key."""
    check_id("migration", id)
    (came_from, legacy), (goes_to, there) = source, target
    if not legacy.key:
        raise OptionsError(
            f"{came_from.table} has no primary key, so its rows cannot be told apart. Give it one, or declare by hand the columns"
            " of a unique index that are NOT NULL"
        )
    new = _to_write(there, legacy) if there else _like(goes_to.table, legacy)
    same_id = id_of(came_from.table) == id_of(goes_to.table)
    ids = (f"legacy_{id_of(came_from.table)}" if same_id else id_of(came_from.table), id_of(goes_to.table))
    lines, left = _rows(legacy, new)
    folder = f"include/migrations/{id}"
    create = "dynamodb" not in goes_to.connection and there is None
    made = {
        f"{folder}/__init__.py": f'"""{title_of(id)}."""\n',
        f"{folder}/migration.py": _migration(id, ids, (came_from, legacy), (goes_to, new), create=create),
        f"{folder}/rows.sql": _script(ids[0], lines),
        f"{folder}/README.md": _readme(id, came_from, goes_to),
        f"dags/{id}.py": _DAG.format(id=id),
        f"tests/migrations/test_{id}.py": _test(id, ids[0], legacy),
    }
    if create:
        made[f"{folder}/create.sql"] = _create(new)
    return Written(files=made, left=tuple(left))


def _like(name: str, legacy: Catalogue) -> Catalogue:
    """A table that is to be made as another one is."""
    return Catalogue(name=name, key=legacy.key, columns=tuple(replace(c, sets="") for c in _carried(legacy)))


def _to_write(there: Catalogue, legacy: Catalogue) -> Catalogue:
    """What of a table is to be written: not what it alone can set, nor what it sets itself where the source has no such column."""
    given = {c.name for c in _carried(legacy)}
    columns = (c for c in there.columns if c.sets != "generated" and (not c.sets or c.name in given))
    return replace(there, columns=tuple(columns))


def _carried(catalogue: Catalogue) -> tuple[Known, ...]:
    return tuple(c for c in catalogue.columns if c.type is not None)


def _rows(legacy: Catalogue, new: Catalogue) -> tuple[list[str], list[str]]:
    """The columns of `rows`, each a line, and what is left to fill."""
    there = {c.name for c in _carried(legacy)}
    lines, left = [], []
    for column in new.columns:
        name = _sql(column.name)
        if column.type is None:
            continue
        if column.name in there:
            lines.append(f"    {name},")
        elif column.not_null:
            lines.append(f"    {TO_FILL} AS {name}, -- never null, and {legacy.name} has no column of that name")
            left.append(f"rows.sql: what {column.name} of {new.name} is made from")
        else:
            lines.append(f"    NULL AS {name}, -- {legacy.name} has no column of that name")
    return lines, left


def _script(source: str, lines: Sequence[str]) -> str:
    return "\n".join(["CREATE VIEW rows AS", "SELECT", *lines, "    _key AS _source", f"FROM {_sql(source)};", ""])


def _migration(
    id: str, ids: tuple[str, str], source: tuple[Place, Catalogue], target: tuple[Place, Catalogue], *, create: bool
) -> str:
    left_out = [c for c in source[1].columns if c.type is None]
    extra = ", carries_extra=True" if left_out and source[1].looked_at else ""
    if left_out and not source[1].looked_at:
        extra = f", ignores={_tuple([c.name for c in left_out])}"
    named = [f'id="{ids[0]}", ' if ids[0] != id_of(source[0].table) else "", ""]
    return (
        f'"""{title_of(id)}: {source[0].table} into {target[0].table}."""\n\n'
        "from include.trueup.declare import Migration, Phase, Source, Table, Target, columns\n\n"
        f"{_table('SOURCE', *source)}{_table('TARGET', *target)}\n"
        "migration = Migration(\n"
        f'    id="{id}",\n'
        '    owner="data",\n'
        f"    sources=(Source({named[0]}table=SOURCE{extra}),),\n"
        f"    targets=(Target(table=TARGET{', create=' + chr(34) + 'create.sql' + chr(34) if create else ''}),),\n"
        f'    phases=(Phase(source="{ids[0]}", target="{ids[1]}", transform="rows.sql"),),\n'
        ")\n"
    )


def _table(name: str, place: Place, catalogue: Catalogue) -> str:
    """The declaration of a table, its columns by type, each type on a line; what was seen of them in comments."""
    columns = _carried(catalogue)
    lines = [f"{name} = Table(", f"    name={_text(place.table)},", f"    connection={_text(place.connection)},"]
    lines += [f"    key={_tuple(catalogue.key)},", "    columns=columns("]
    order = {type_: n for n, type_ in enumerate(dict.fromkeys(c.type for c in columns))}
    for type_, same in groupby(sorted(columns, key=lambda c: order[c.type]), key=lambda c: c.type):
        names = [c.name for c in same]
        said = _tuple(names) if any(" " in each for each in names) else _text(" ".join(names))
        lines.append(f"        {type_}={said},")
    lines.append("    ),")
    required = tuple(c.name for c in columns if c.not_null and c.name not in catalogue.key)
    if required:
        lines.append(f"    required={_tuple(required)},")
    lines.append(")")
    if catalogue.looked_at:
        seldom = [
            f"{c.name} in {c.share:.0%} ({c.exact})" for c in catalogue.columns if c.share < 1 or " or " in c.exact
        ]
        lines.append(f"# Of {catalogue.looked_at} items: {', '.join(seldom) or 'each has all of these'}.")
    none = [f"{c.name} ({c.exact})" for c in catalogue.columns if c.type is None]
    if none:
        lines.append(f"# Not declared, since no type carries it: {', '.join(none)}.")
    return "\n".join(lines) + "\n"


def _create(new: Catalogue) -> str:
    columns = [f"    {_sql(c.name)} {c.exact}{' NOT NULL' if c.not_null else ''}," for c in new.columns]
    key = ", ".join(_sql(name) for name in new.key)
    name = ".".join(_sql(part) for part in new.name.split("."))
    return "\n".join([f"CREATE TABLE {name} (", *columns, f"    PRIMARY KEY ({key})", ");", ""])


def _readme(id: str, source: Place, target: Place) -> str:
    return (
        f"# {title_of(id)}\n\nBrings {source.table} ({source.connection}) into {target.table} ({target.connection}).\n\n"
        f"`make check ID={id}` says what is left to do, `rows.sql` has the rules; then trigger the DAG `{id}`.\n"
    )


_DAG = '''"""Airflow DAGs for include/migrations/{id}."""

from include.migrations.{id}.migration import migration
from trueup_airflow.dag import build_dag, build_rollback

dag = build_dag(migration)
rollback = build_rollback(migration)
'''
_SAMPLES = {
    "text": ('"{n}"',), "number": ('"{n}.50"',), "integer": ("{n}",), "float": ("{n}.5",), "boolean": ("True",),
    "timestamp": ('"2025-01-0{n}T00:00:00+00:00"',), "datetime": ('"2025-01-0{n}T00:00:00"',), "date": ('"2025-01-0{n}"',),
    "json": ('"{{}}"',), "binary": ('b"{n}"',),
}  # fmt: skip


def _test(id: str, source: str, legacy: Catalogue) -> str:
    """A test with three rows: that they are accounted for and pass the suites; what they become is its author's to say."""
    needed = [c for c in legacy.columns if c.type is not None and (c.not_null or c.name in legacy.key)]
    rows = [
        "{" + ", ".join(f"{_text(c.name)}: {_SAMPLES[str(c.type)][0].format(n=n)}" for c in needed) + "},"
        for n in (1, 2, 3)
    ]
    listed = "\n".join(f"    {row}" for row in rows)
    return (
        f'"""What {title_of(id)} makes of three rows."""\n\nfrom include.migrations.{id}.migration import migration\n'
        f"from include.trueup.testing import check\n\nROWS = [\n{listed}\n]\n\n\n"
        "def test_three_rows() -> None:\n"
        f'    made = check(migration, rows={{"{source}": ROWS}}, rejects={{}})\n'
        "    (rows,) = made.rows.values()\n    assert len(rows) == len(ROWS)\n"
    )


def _text(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)


def _tuple(values: Sequence[str]) -> str:
    return f"({', '.join(map(_text, values))}{',' if len(values) == 1 else ''})"


@cache
def _keywords() -> frozenset[str]:
    """What DuckDB takes for a word of its own somewhere; PostgreSQL has them, too."""
    found = duckdb.execute(
        "SELECT keyword_name FROM duckdb_keywords() WHERE keyword_category <> 'unreserved'"
    ).fetchall()
    return frozenset(word for (word,) in found)


def _sql(name: str) -> str:
    """A name as it stands in SQL, quoted where it must be."""
    plain = _PLAIN.fullmatch(name) and name not in _keywords()
    return name if plain else '"' + name.replace('"', '""') + '"'
