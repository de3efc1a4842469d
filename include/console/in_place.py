"""What `make new … OWNED='mail_domain'` writes where both tables are the same one: its rows stay, and columns of them change."""

from __future__ import annotations

from dataclasses import replace

from ..trueup.declare.defaults import id_of, title_of
from ..trueup.declare.names import check_columns, one_of
from ..trueup.declare.table import Type
from ..trueup.errors import OptionsError
from ..trueup.stores import Catalogue, Known
from .creating import in_sql, on_one_line
from .pairing import Place, carried, check_writable, parts, readable, relation_id
from .problem import TO_FILL
from .sampling import sample_rows
from .texts import DAG, Written, declared, fires, own_test, tuple_of

MOST_BYTES = 63
"""Of a name in PostgreSQL."""


def is_same(one: Place, other: Place) -> bool:
    """Whether both name the same table of a connection."""
    if one.connection != other.connection:
        return False
    return one.table == other.table or (not one.is_dynamodb and parts(one.table) == parts(other.table))


def changes(id: str, place: Place, existing: Catalogue, owned: tuple[str, ...]) -> Written:
    """The files of a migration that changes the `owned` columns of a table; those that it has not are added, as text.
    Raises `OptionsError` where none is named, or one could not be written."""
    table = on_one_line(place.table)
    if not owned:
        such_as = next((c.name for c in reversed(existing.columns) if c.name not in existing.key), "note")
        raise OptionsError(
            f"FROM and TO are the same table, {table}: a table is not copied onto itself, but columns of its rows can be changed where"
            f" they are. Say which, those that it is to get too: OWNED={such_as!r}; or name another table as TO"
        )
    existing = readable(existing)
    check_writable(existing)
    known = {c.name: c for c in existing.columns}
    new = tuple(name for name in owned if name not in known)
    if not place.is_dynamodb and (long := [name for name in new if len(name.encode()) > MOST_BYTES]):
        raise OptionsError(
            f"OWNED: {long[0]!r} has {len(long[0].encode())} bytes, and PostgreSQL cuts a name of more than {MOST_BYTES}: shorten it"
        )
    for name in owned:
        _check_changeable(existing, name, known.get(name))
    script_of_new = bool(new) and not place.is_dynamodb
    existing = replace(
        existing, columns=(*existing.columns, *(Known(name=name, type=Type.TEXT, exact="text") for name in new))
    )
    check_columns(f"table {existing.name!r}", [c.name for c in carried(existing)])
    source, target = relation_id(place.table, "source"), f"{relation_id(place.table, 'source')}_changed"[-60:]
    folder = f"include/migrations/{id}"
    made = {
        f"{folder}/__init__.py": f'"""{title_of(id)}."""\n',
        f"{folder}/migration.py": _migration(
            id, (source, target), place, existing, owned, new if script_of_new else ()
        ),
        f"{folder}/rows.sql": _rows(source, existing, owned, new),
        f"{folder}/README.md": _readme(id, place, existing, owned),
        f"dags/{id}.py": DAG.format(id=id),
        f"tests/migrations/test_{id}.py": own_test(id, source, sample_rows(existing, existing)),
    }
    if script_of_new:
        add = (f"ALTER TABLE {_sql_name(place)} ADD COLUMN IF NOT EXISTS {in_sql(name)} text;\n" for name in new)
        made[f"{folder}/prepare.sql"] = "".join(add)
    left = [f"rows.sql: what {name} of {existing.name} is made from" for name in owned]
    left += [
        f"{'prepare.sql and ' * script_of_new}migration.py: {name} is added to {existing.name}, which has no such column, as text"
        f" ({one_of(name, known)})"
        for name in new
    ]
    left.append(
        f"migration.py: take out the columns of {existing.name} that rows.sql does not read; a row of which somebody changes a declared"
        " column during the run is left alone"
    )
    return Written(files=made, left=tuple(left))


def check_key(existing: Catalogue, given: tuple[str, ...]) -> None:
    """Raise `OptionsError` where a key is given that is another than the table's, by which its rows are written."""
    if given and existing.key and {*given} != {*existing.key}:
        raise OptionsError(
            f"KEY={' '.join(given)}: rows of {existing.name} are changed where they are, and found again by its primary key"
            f" ({', '.join(existing.key)}): leave KEY out"
        )


def _check_changeable(existing: Catalogue, name: str, known: Known | None) -> None:
    why = ""
    if name in existing.key:
        why = "is of its key, by which its rows are found again, so it cannot change in place: bring the rows into another table"
    elif known is not None and known.type is None:
        why = f"is {known.exact}, which no type carries"
    elif known is not None and known.sets == "generated":
        why = "is GENERATED, so nothing else can write it: name a column that it is made from"
    if why:
        raise OptionsError(f"OWNED: {name!r} of {existing.name} {why}")


def _sql_name(place: Place) -> str:
    schema, name = parts(place.table)
    return f"{in_sql(schema) + '.' if schema != 'public' else ''}{in_sql(name)}"


def _rows(source: str, existing: Catalogue, owned: tuple[str, ...], new: tuple[str, ...]) -> str:
    lines = [f"    {in_sql(name)}," for name in existing.key]
    for name in owned:
        was = "added" if name in new else f"as it is: {on_one_line(in_sql(name))}"
        lines.append(f"    {TO_FILL} AS {in_sql(name)}, -- {was}")
    return "\n".join(["CREATE VIEW rows AS", "SELECT", *lines, "    _key AS _source", f"FROM {in_sql(source)};", ""])


def _migration(
    id: str, ids: tuple[str, str], place: Place, existing: Catalogue, owned: tuple[str, ...], adds: tuple[str, ...]
) -> str:
    source = "" if ids[0] == id_of(place.table) else f'id="{ids[0]}", '
    added = f'            prepare="prepare.sql",\n            adds={tuple_of(adds)},\n' if adds else ""
    does = ""
    if existing.triggers:
        does = (
            f"# It has {on_one_line(', '.join(existing.triggers))}. Columns that they set belong in sets=(…) of\n"
            "# the Target, beside owned.\n"
        )
    return (
        f'"""{title_of(id)}: {on_one_line(", ".join(owned))} of {on_one_line(place.table)}, in place."""\n\n'
        "from include.trueup.declare import Migration, Phase, Source, Table, Target, columns\n\n"
        f"{declared('TABLE', place, existing)}{does}\n"
        "migration = Migration(\n"
        f'    id="{id}",\n'
        '    owner="data",\n'
        f"    sources=(Source({source}table=TABLE),),\n"
        "    targets=(\n"
        "        Target(\n"
        f'            id="{ids[1]}",\n'
        "            table=TABLE,\n"
        f"            owned={tuple_of(owned)},  # nothing else of a row is ever written\n{added}"
        "        ),\n"
        "    ),\n"
        f'    phases=(Phase(source="{ids[0]}", target="{ids[1]}", transform="rows.sql"),),\n'
        ")\n"
    )


def _readme(id: str, place: Place, existing: Catalogue, owned: tuple[str, ...]) -> str:
    table = on_one_line(place.table)
    return (
        f"# {title_of(id)}\n\nChanges {on_one_line(', '.join(owned))} of {table} ({place.connection}), where its rows are; nothing else"
        " of a row is written.\n\n"
        f"`make check ID={id}` says what is left to do, `rows.sql` has the rules; then trigger the DAG `{id}`.\n"
        f"{fires(table, existing)}"
    )
